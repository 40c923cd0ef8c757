# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.base import missing_files, read_image, read_mask
from contrib_semiseg.mixing.boxes import BoxMask
from contrib_semiseg.transforms.geometric import CenterPad, RandomCrop
from tests.datasets.files import write_files
from tests.datasets.test_list_dataset import make


@pytest.fixture()
def root(tmp_path):
    return write_files(tmp_path / "data")


def put(root, folder, array, mode=None):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(root / folder / "0.png")


def test_grey_palette_and_alpha_images_become_rgb(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    Image.fromarray(grey).save(tmp_path / "g.png")
    np.testing.assert_array_equal(read_image(tmp_path / "g.png"),
                                  np.repeat(grey[..., None], 3, axis=2))
    for mode in ("RGBA", "P"):
        Image.fromarray(grey).convert(mode).save(tmp_path / "x.png")
        assert read_image(tmp_path / "x.png").shape == (3, 4, 3)


def test_channels_are_red_green_blue(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 250
    Image.fromarray(red).save(tmp_path / "r.png")
    np.testing.assert_array_equal(read_image(tmp_path / "r.png"), red)


def test_a_turned_photo_is_put_upright(tmp_path):
    image = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(tmp_path / "t.jpg", exif=exif)
    assert read_image(tmp_path / "t.jpg").shape == (6, 4, 3)


def test_palette_masks_give_indices(tmp_path):
    indices = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(indices, mode="P")
    image.putpalette([200, 10, 10] * 256)
    image.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "p.png"), indices)


def _truncate(root, folder):
    path = root / folder / "0.png"
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("break_it, message", [
    (lambda r: _truncate(r, "imgs"), "imgs/0.png: the image cannot be read"),
    (lambda r: _truncate(r, "masks"), "masks/0.png: the mask cannot be read"),
    (lambda r: (r / "imgs" / "0.png").write_text("hello"),
     "imgs/0.png: the image cannot be read"),
    (lambda r: (r / "imgs" / "0.png").unlink(),
     "imgs/0.png: the image is missing"),
    (lambda r: Image.fromarray(np.full((10, 12), 0.5, np.float32)).save(
        r / "imgs" / "0.png", "TIFF"),
     r"imgs/0.png: the image holds values from 0.5 to 0.5 \(mode F\); "
     "allowed: 8 or 16 bits a channel"),
    (lambda r: put(r, "masks", np.zeros((10, 11), np.uint8)),
     r"masks/0.png: the mask is 11 x 10 .* is 12 x 10"),
    (lambda r: put(r, "masks", np.zeros((10, 12, 3), np.uint8)),
     "masks/0.png: .*convert it to class indices"),
    (lambda r: put(r, "masks", np.full((10, 12), 3, np.uint8)),
     r"masks/0.png: the mask holds 3; allowed: 0..2 and 255"),
    (lambda r: put(r, "masks", np.full((10, 12), 999, np.uint16)),
     "masks/0.png: .*999; allowed: 0..255"),
])
def test_broken_files_are_named(root, break_it, message):
    ds = make(root)
    break_it(root)
    with pytest.raises(DataError, match=message):
        ds.read(0)


def test_a_truncated_jpeg_is_an_error_not_a_grey_half(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.jpg"
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(
        path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="x.jpg"):
        read_image(path)


def test_ignore_index_of_masks_is_the_given_one(root):
    put(root, "masks", np.full((10, 12), 255, np.uint8))
    assert (make(root).read(0)[1] == 255).all()
    with pytest.raises(DataError, match="holds 255; allowed: 0..2 and 9"):
        make(root, ignore_index=9).read(0)


def item_of(root, seed=0, **changes):
    ops = [RandomCrop(crop_size=[8, 8]), manager.TRANSFORMS["Normalize"](),
           CenterPad(size=[8, 12])]
    ds = make(root, transforms=ops, masks={"mask": BoxMask()}, **changes)
    return ds.item(0, np.random.default_rng(seed))


def test_items_are_arrays_of_the_network_layout(root):
    item = item_of(root)
    kinds = {k: (v.shape, str(v.dtype)) for k, v in item.items()}
    assert kinds == {
        "img": ((3, 12, 8), "float32"), "label": ((12, 8), "int64"),
        "valid": ((12, 8), "bool"), "mask": ((1, 12, 8), "uint8")}
    assert ((item["label"] == 255) == ~item["valid"]).all()
    assert item["img"].min() >= -1 and item["img"].max() <= 1


def test_items_depend_on_the_generator_alone(root):
    first, again, other = (item_of(root, seed=s) for s in (0, 0, 3))
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert any((first[k] != other[k]).any() for k in first)


def test_missing_files_keep_their_order(tmp_path):
    (tmp_path / "a").write_text("")
    paths = [str(tmp_path / p) for p in ("b", "a", "no/c")]
    assert missing_files(paths) == [paths[0], paths[2]]

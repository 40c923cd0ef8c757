# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from tests.datasets.own_files import (
    folder_dataset,
    names,
    write_folders,
    write_image,
    write_mask,
)


@pytest.fixture()
def root(tmp_path):
    return write_folders(tmp_path / "own")


def test_images_with_a_mask_are_labelled_the_others_not(root):
    assert names(folder_dataset(root)) == [f"l{i}.jpg" for i in range(5)]
    assert names(folder_dataset(root, "unlabeled")) == [
        f"u{i}.jpg" for i in range(4)]
    image, mask = folder_dataset(root).read(2)
    np.testing.assert_array_equal(
        image, np.array(Image.open(root / "images" / "l2.jpg")))
    np.testing.assert_array_equal(
        mask, np.array(Image.open(root / "masks" / "l2.png")))
    assert folder_dataset(root, "unlabeled").read(0)[1] is None


def test_unlabelled_images_of_another_folder_or_list(root):
    write_image(root / "more" / "x.png")
    assert names(folder_dataset(root, "unlabeled", image_dir="more",
                                mask_dir=None)) == ["x.png"]
    (root / "u.txt").write_text("images/u1.jpg\nl2.jpg\nmore/x.png\n")
    ds = folder_dataset(root, "unlabeled", list_file="u.txt")
    assert names(ds) == ["images/u1.jpg", "l2.jpg", "more/x.png"]
    assert all(ds.read(i)[1] is None for i in range(3))


def test_a_list_of_pairs(root):
    write_mask(root / "other" / "a b.png", [2])
    (root / "l.txt").write_text("l1.jpg\nl0.jpg\tother/a b.png\n")
    ds = folder_dataset(root, list_file="l.txt")
    assert names(ds) == ["l1.jpg", "l0.jpg"]
    assert set(np.unique(ds.read(1)[1])) == {2}
    (root / "l.txt").write_text("l1.jpg\nu0.jpg\n")
    with pytest.raises(DataError, match="list_file = l.txt: 1 of 2 images "
                       "have no mask, first: .*u0.jpg"):
        folder_dataset(root, list_file="l.txt")
    ds = folder_dataset(root, list_file="{split}.txt", split="l",
                        role="unlabeled")
    assert len(ds) == 2


def parts(root, **options):
    return {role: names(folder_dataset(root, role, **options))
            for role in ("labeled", "unlabeled", "val")}


@pytest.mark.parametrize("fraction, count", [(0.2, 1), (0.01, 1), (0.5, 2)])
def test_a_fraction_is_held_out(root, fraction, count):
    found = parts(root, val_split=fraction)
    assert len(found["val"]) == count
    assert sorted(found["val"] + found["labeled"]) == [
        f"l{i}.jpg" for i in range(5)]
    assert len(found["unlabeled"]) == 4
    assert found == parts(root, val_split=fraction)


def test_seeds_hold_out_other_images(root):
    write_folders(root, labelled=30)
    chosen = [set(parts(root, val_split=0.4, val_seed=s)["val"])
              for s in range(3)]
    assert len({frozenset(c) for c in chosen}) == 3
    assert all(len(c) == 12 for c in chosen)


def test_more_images_leave_most_where_they_are(root):
    write_folders(root, labelled=30)
    before = set(parts(root, val_split=0.4)["val"])
    write_folders(root, labelled=33)
    assert len(before & set(parts(root, val_split=0.4)["val"])) >= 9


def test_a_list_is_held_out_of_every_section(root):
    (root / "val.txt").write_text("l3.jpg\nimages/l0.jpg\n")
    (root / "all.txt").write_text("".join(
        f"{p.name}\n" for p in sorted((root / "images").iterdir())))
    found = parts(root, val_split="val.txt")
    assert found["val"] == ["l3.jpg", "images/l0.jpg"]
    assert found["labeled"] == ["l1.jpg", "l2.jpg", "l4.jpg"]
    listed = names(folder_dataset(root, "unlabeled", val_split="val.txt",
                                  list_file="all.txt"))
    assert listed == ["l1.jpg", "l2.jpg", "l4.jpg",
                      *(f"u{i}.jpg" for i in range(4))]


def test_a_single_mask_cannot_be_divided(root):
    for i in range(1, 5):
        (root / "masks" / f"l{i}.png").unlink()
    with pytest.raises(DataError, match="val_split = 0.5: 1 labelled images"):
        folder_dataset(root, "val", val_split=0.5)


def test_a_split_of_lists(root, monkeypatch):
    split = root / "splits" / "mine"
    split.mkdir(parents=True)
    (split / "labeled.txt").write_text("images/l1.jpg\tmasks/l1.png\n")
    (split / "unlabeled.txt").write_text("images/u0.jpg\nimages/l2.jpg\n")
    ds = folder_dataset(root, "unlabeled", split=str(split))
    assert names(ds) == ["images/u0.jpg", "images/l2.jpg"]
    assert len(folder_dataset(root, split=str(split))) == 1
    assert len(folder_dataset(root, "val", split=str(split))) == 5
    (root / "splits" / "val.txt").write_text("images/l3.jpg\tmasks/l3.png\n")
    assert len(folder_dataset(root, "val", split=str(split))) == 1
    with pytest.raises(ArgumentError, match="val_split.*null beside split"):
        folder_dataset(root, split=str(split), val_split=0.2)


def test_names_with_blanks_unicode_folders_and_upper_case(tmp_path):
    root = tmp_path / "my own data"
    for name in ("Straße 1/ä ü.JPG", "a.b c.TIFF", "deep/er/x.Png"):
        write_image(root / "images" / name)
        stem = name.rpartition(".")[0]
        # As macOS writes it: letters and their dots apart.
        write_mask(root / "masks" / unicodedata.normalize(
            "NFD", f"{stem}.PNG"))
    write_image(root / "images" / ".hidden.jpg")
    ds = folder_dataset(root)
    assert sorted(names(ds)) == ["Straße 1/ä ü.JPG", "a.b c.TIFF",
                                 "deep/er/x.Png"]
    assert all(ds.read(i)[1].max() == 2 for i in range(3))


def test_masks_under_longer_names(root):
    for path in list((root / "masks").iterdir()):
        path.rename(path.with_name(path.stem + "_mask.png"))
    write_mask(root / "masks" / "l0_color.png")
    for suffix in ("_mask", "_mask.png", "_mask.PNG"):
        assert len(folder_dataset(root, mask_suffix=suffix)) == 5
    with pytest.raises(DataError, match=r"mask_suffix: _"):
        folder_dataset(root)
    # All in one folder.
    for path in list((root / "masks").iterdir()):
        path.rename(root / "images" / path.name)
    (root / "images" / "l0_color.png").unlink()
    one = dict(mask_dir="images", mask_suffix="_mask")
    assert len(folder_dataset(root, **one)) == 5
    assert len(folder_dataset(root, "unlabeled", **one)) == 4
    with pytest.raises(ArgumentError, match="mask_dir.*another folder"):
        folder_dataset(root, mask_dir="images")


def test_a_folder_of_masks_inside_that_of_images(root):
    ds = folder_dataset(root / "..", image_dir="own", mask_dir="own/masks",
                        role="unlabeled")
    assert not any("masks" in name for name in names(ds)) and len(ds) == 9


def test_masks_of_colours(root):
    colors = {"sky": [0, 0, 255], "road": [9, 9, 9], "car": [255, 0, 0]}
    for i in range(5):
        write_mask(root / "masks" / f"l{i}.png",
                   [*colors.values(), [1, 2, 3]])
    options = dict(mask_colors=colors, ignore_colors=[[1, 2, 3]])
    ds = folder_dataset(root, **options)
    expected = np.resize([0, 1, 2, 255], (10, 12))
    np.testing.assert_array_equal(ds.read(0)[1], expected)
    assert ds.class_names == ["sky", "road", "car"]
    assert ds.palette.tolist() == list(colors.values())
    problems, counts = ds.inspect(0)
    assert not problems and counts[[0, 1, 2, 255]].tolist() == [30] * 4
    # The names say the order, a palette may be the table.
    ds = folder_dataset(root, class_names=["car", "sky", "road"], **options)
    assert ds.read(0)[1][0, :3].tolist() == [1, 2, 0]
    ds = folder_dataset(root, palette=list(colors.values())[::-1],
                        mask_colors="palette", ignore_colors=[[1, 2, 3]])
    assert ds.read(0)[1][0, :3].tolist() == [2, 1, 0]


def test_palette_masks_give_indices_or_with_a_table_their_colours(root):
    mask = Image.fromarray(np.resize([0, 1, 2], (10, 12)).astype(np.uint8),
                           mode="P")
    mask.putpalette([5, 5, 5, 6, 6, 6, 7, 7, 7])
    mask.save(root / "masks" / "l0.png")
    assert folder_dataset(root).read(0)[1][0, :3].tolist() == [0, 1, 2]
    colors = {"a": [7, 7, 7], "b": [6, 6, 6], "c": [5, 5, 5]}
    ds = folder_dataset(root, mask_colors=colors)
    assert ds.read(0)[1][0, :3].tolist() == [2, 1, 0]


def test_other_numbers_than_the_classes(root):
    write_mask(root / "masks" / "l0.png", [10, 0, 20, 99, 98, 255])
    ds = folder_dataset(root, mask_values=[0, 10, 20],
                        ignore_values=[99, 98])
    assert ds.read(0)[1][0, :6].tolist() == [1, 0, 2, 255, 255, 255]
    problems, counts = ds.inspect(0)
    assert not problems and counts[[0, 1, 2, 255]].tolist() == [20, 20, 20, 60]
    ds = folder_dataset(root, mask_values=[0, 10, 20], ignore_values=[98])
    message = r"l0.png: the mask holds 99; allowed: 0, 10, 20 and 98, 255"
    with pytest.raises(DataError, match=message):
        ds.read(0)
    assert len(ds.inspect(0)[0]) == 1
    write_mask(root / "masks" / "l0.png", [255, 0, 7])
    ds = folder_dataset(root, num_classes=2, mask_values=[0, 255],
                        ignore_values=[7])
    assert ds.read(0)[1][0, :3].tolist() == [1, 0, 255]


def test_images_of_16_bits(root):
    deep = np.full((10, 12), 4095, np.uint16)
    (root / "images" / "l0.jpg").unlink()
    Image.fromarray(deep).save(root / "images" / "l0.png")
    assert (folder_dataset(root).read(0)[0] == 16).all()
    ds = folder_dataset(root, image_range=[0, 4095])
    assert (ds.read(0)[0] == 255).all()
    with pytest.raises(ArgumentError, match="image_range.*low < high"):
        folder_dataset(root, image_range=[5, 5])


def turn(path, orientation=6):
    image = Image.open(path)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


def test_turned_photos(root):
    turn(root / "images" / "l0.jpg")
    with pytest.raises(DataError, match=r"l0.png: the mask is 12 x 10 .*l0.jpg "
                       "is 10 x 12 when its EXIF tag .*exif_rotation: false"):
        folder_dataset(root).read(0)
    image, mask = folder_dataset(root, exif_rotation=False).read(0)
    assert image.shape[:2] == mask.shape == (10, 12)
    turn(root / "masks" / "l0.png")
    ds = folder_dataset(root)
    assert ds.read(0)[1].shape == (12, 10) and not ds.inspect(0)[0]
    ds = folder_dataset(root, mask_colors={"a": [0] * 3, "b": [1] * 3,
                                           "c": [2] * 3})
    assert ds.read(0)[1].shape == (12, 10) and not ds.inspect(0)[0]


@pytest.mark.parametrize("break_it, message", [
    (lambda r: shutil.rmtree(r), "dataset_root = .*no such folder"),
    (lambda r: (r / "masks").rename(r / "mask"),
     "mask_dir = masks: there is no folder .*did you mean 'mask'"),
    (lambda r: (r / "images").rename(r / "imagse"),
     "image_dir = images: there is no folder .*did you mean 'imagse'"),
    (lambda r: [p.unlink() for p in (r / "images").iterdir()],
     "image_dir = images: 0 images in .*an empty folder.*allowed: .jpg"),
    (lambda r: [p.rename(p.with_suffix(".heic"))
                for p in (r / "images").iterdir()],
     r"0 images in .* \(9 .heic\); allowed: .jpg"),
    (lambda r: [p.unlink() for p in (r / "masks").iterdir()],
     "mask_dir = masks: 0 masks in .*an empty folder"),
    (lambda r: (r / "images" / "l3.jpg").unlink(),
     "masks: 1 of 5 masks have no image in .*images, first: .*l3.png"),
    (lambda r: write_image(r / "images" / "l3.png"),
     "l3.png fits 2 images of .*l3.jpg, l3.png"),
    (lambda r: write_mask(r / "masks" / "l3.tif"),
     r"2 masks fit one image \(l3.png, l3.tif\)"),
    (lambda r: (r / "masks" / "l3.png").rename(r / "masks" / "l3.jpg"),
     "masks: l3.jpg is a JPEG, which changes values; allowed: .*PNG"),
])
def test_wrong_folders_are_named_at_construction(root, break_it, message):
    break_it(root)
    with pytest.raises(DataError, match=message):
        folder_dataset(root)


def test_nothing_is_left(root):
    with pytest.raises(DataError, match="unlabeled_dataset.image_dir = "
                       r"images \(all of them have a mask.*0 images"):
        for i in range(4):
            (root / "images" / f"u{i}.jpg").unlink()
        folder_dataset(root, "unlabeled")
    with pytest.raises(DataError, match=r"\(none has a mask; state mask_dir"):
        folder_dataset(root, mask_dir=None)


@pytest.mark.parametrize("options, message", [
    (dict(mask_colors={"a": [0, 0, 0]}), "mask_colors.*3 colours"),
    (dict(mask_colors={"a": [0, 0, 0], "b": [1, 1, 1], "c": [2, 2, 2]},
          class_names=["a", "b", "x"]), "mask_colors.*not in both: c, x"),
    (dict(mask_colors={"a": [0, 0, 256]}), "mask_colors.*colours by class"),
    (dict(mask_colors="palette"), "mask_colors.*beside a palette"),
    (dict(mask_values=[0, 1]), "mask_values.*3 different numbers"),
    (dict(ignore_values=[256]), "ignore_values"),
    (dict(ignore_colors=[[0, 0, 0]]), "ignore_colors.*without mask_colors"),
    (dict(mask_colors={"a": [0, 0, 0], "b": [1, 1, 1], "c": [2, 2, 2]},
          ignore_values=[3]), "ignore_values.*null beside mask_colors"),
    (dict(val_split=1.0), r"val_split.*\(0, 0.9\]"),
    (dict(class_names=["a"]), "class_names.*3 entries"),
])
def test_wrong_options_are_refused(root, options, message):
    with pytest.raises(ArgumentError, match=message):
        folder_dataset(root, **options)


@pytest.mark.parametrize("write, message", [
    (lambda p: write_mask(p, [[0, 0, 0], [1, 2, 3]]),
     r"l0.png: the mask holds 1 colours that mask_colors lacks: \[1, 2, 3\]; "
     "allowed: the 3 colours"),
    (lambda p: write_image(p), "save masks unsmoothed, as PNG"),
    (lambda p: write_mask(p, [[0, 0, 0, 255], [5, 5, 5, 0]]),
     "l0.png: the mask is transparent in 60 pixels; allowed: opaque"),
    (lambda p: Image.fromarray(np.zeros((10, 12), np.uint16)).save(p),
     "l0.png: the mask has more than 8 bits"),
    (lambda p: p.write_bytes(b"x"), "l0.png: the mask cannot be read"),
    (lambda p: write_mask(p, [[0, 0, 0]], (11, 10)),
     "l0.png: the mask is 11 x 10 .*is 12 x 10"),
])
def test_wrong_masks_of_colours_are_named(root, write, message):
    write(root / "masks" / "l0.png")
    ds = folder_dataset(root, mask_colors={"a": [0, 0, 0], "b": [5, 5, 5],
                                           "c": [9, 9, 9]})
    with pytest.raises(DataError, match=message):
        ds.read(0)
    problems, _ = ds.inspect(0)
    assert len(problems) == 1


def test_an_opaque_alpha_channel_changes_nothing(root):
    write_mask(root / "masks" / "l0.png", [[0, 0, 0, 255], [5, 5, 5, 255]])
    (root / "images" / "l0.jpg").unlink()
    Image.fromarray(np.full((10, 12, 4), 9, np.uint8)).save(
        root / "images" / "l0.PNG")
    ds = folder_dataset(root, mask_colors={"a": [5, 5, 5], "b": [0, 0, 0],
                                           "c": [9, 9, 9]})
    image, mask = ds.read(0)
    assert image.shape == (10, 12, 3) and mask[0, :2].tolist() == [1, 0]


def test_masks_of_colours_need_a_table(root):
    write_mask(root / "masks" / "l0.png", [[0, 0, 0], [5, 5, 5]])
    with pytest.raises(DataError, match="l0.png: the mask holds colours "
                       ".*mask_colors of a FolderDataset"):
        folder_dataset(root).read(0)

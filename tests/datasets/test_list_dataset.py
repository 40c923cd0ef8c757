# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import shutil

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets.list_dataset import (
    Dataset,
    ListDataset,
    output_name,
    read_list,
)
from tests.datasets.files import write_files


@pytest.fixture()
def root(tmp_path):
    return write_files(tmp_path / "data")


def make(root, role="labeled", **changes):
    args = dict(dataset_root=str(root), role=role, num_classes=3,
                list_file="list.txt")
    return ListDataset(**{**args, **changes})


def test_pairs_of_a_list_are_read_as_they_are(root):
    ds = make(root)
    image, mask = ds.read(1)
    assert len(ds) == 3 and ds.name(1) == "imgs/1.png"
    np.testing.assert_array_equal(
        image, np.array(Image.open(root / "imgs" / "1.png")))
    np.testing.assert_array_equal(
        mask, np.array(Image.open(root / "masks" / "1.png")))


def test_masks_of_raw_numbers_become_classes(root):
    raw = np.zeros((10, 12), np.uint8)
    raw[0, :4] = 7, 33, 34, 255
    Image.fromarray(raw).save(root / "masks" / "0.png")
    ds = make(root, num_classes=19, ignore_index=200,
              mask_ids="cityscapes")
    mask = ds.read(0)[1]
    assert mask[0, :4].tolist() == [0, 18, 200, 200]
    assert (mask[1:] == 200).all()
    problems, counts = ds.inspect(0)
    assert not problems and counts[[0, 18, 200]].tolist() == [1, 1, 118]
    with pytest.raises(ArgumentError, match="mask_ids"):
        make(root, mask_ids="camvid")


def test_unlabeled_never_touches_a_mask(root):
    shutil.rmtree(root / "masks")
    ds = make(root, role="unlabeled")
    assert ds.read(0)[1] is None
    assert set(ds.item(0, np.random.default_rng(0))) == {"img"}


def test_ids_folders_and_tabs(root):
    (root / "imgs" / "a b.png").write_bytes(
        (root / "imgs" / "0.png").read_bytes())
    (root / "ids.txt").write_text("2\n0\n")
    ds = make(root, list_file="ids.txt", image_dir="imgs", mask_dir="masks",
              image_suffix=".png")
    assert [ds.name(i) for i in range(2)] == ["2.png", "0.png"]
    assert ds.rows[0].mask.endswith("masks/2.png")
    (root / "tab.txt").write_text("imgs/a b.png\tmasks/0.png\n")
    assert make(root, list_file="tab.txt").name(0) == "imgs/a b.png"


def test_masks_under_other_names(root):
    (root / "masks" / "1.png").rename(root / "masks" / "1_ids.png")
    (root / "list.txt").write_text("imgs/1.png\nimgs/0.png masks/0.png\n")
    names = {"imgs/": "masks/", ".png": "_ids.png"}
    ds = make(root, mask_replace=names)
    assert [row.mask[len(str(root)) + 1:] for row in ds.rows] == [
        "masks/1_ids.png", "masks/0.png"]
    with pytest.raises(ArgumentError, match="mask_replace.*imgs/1.png"):
        make(root, mask_replace={"image/": "masks/"})
    with pytest.raises(ArgumentError, match="mask_replace.*texts by text"):
        make(root, mask_replace=["imgs/", "masks/"])


def test_a_folder_alone_is_walked_in_order(root):
    (root / "imgs" / "sub").mkdir()
    shutil.copy(root / "imgs" / "0.png", root / "imgs" / "sub" / "x.PNG")
    (root / "imgs" / "notes.txt").write_text("no image")
    ds = make(root, role="unlabeled", list_file=None, image_dir="imgs")
    assert [ds.name(i) for i in range(len(ds))] == [
        "0.png", "1.png", "2.png", "sub/x.PNG"]


@pytest.mark.parametrize("break_it, message", [
    (lambda r: (r / "imgs" / "1.png").unlink(),
     "train_dataset.list_file = list.txt: 1 of 3 images are missing, first: "
     ".*imgs/1.png"),
    (lambda r: (r / "masks" / "2.png").unlink(),
     "1 of 3 masks are missing, first: .*masks/2.png"),
    (lambda r: (r / "list.txt").write_text("\n"), "0 images"),
    (lambda r: (r / "list.txt").write_text("a b c\n"), "list.txt: line 1"),
    (lambda r: (r / "list.txt").write_text("imgs/0.png\n"),
     "1 of 1 images have no mask, first: .*imgs/0.png"),
    (lambda r: (r / "list.txt").rename(r / "lists.txt"),
     "list_file = list.txt: .*did you mean 'lists.txt'"),
    (lambda r: shutil.rmtree(r), "dataset_root = .*no such folder"),
])
def test_wrong_lists_are_named_at_construction(root, break_it, message):
    break_it(root)
    with pytest.raises(DataError, match=message):
        make(root)


def test_paddleseg_keywords(root):
    args = dict(dataset_root=str(root), num_classes=3, role="val", mode="val")
    assert len(Dataset(val_path=str(root / "list.txt"), **args)) == 3
    with pytest.raises(ArgumentError, match="val_path"):
        Dataset(train_path="list.txt", **args)


def test_names_must_fit_the_classes(root):
    with pytest.raises(ArgumentError, match="class_names.*3 entries"):
        make(root, class_names=["a", "b"])


def test_output_names_stay_inside():
    assert output_name("/a/../b/./c.png") == "a/b/c.png"
    assert output_name("d\\e.png") == "d/e.png"


def test_a_list_that_is_no_text(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="x.txt: not a text file"):
        read_list(path)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets.camvid import CamVid, split_rows
from tests.support.official_trees import write_lists


@pytest.fixture()
def root(tmp_path):
    for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        (tmp_path / folder).mkdir()
        for i in range(9):
            array = np.zeros((6, 8, 3) if suffix == "jpg" else (6, 8),
                             np.uint8)
            Image.fromarray(array).save(tmp_path / folder / f"f{i}.{suffix}")
    # Not sorted: the order is that of the recording.
    ids = [f"f{i}" for i in (3, 1, 0, 2, 5, 4, 6)]
    (tmp_path / "train.txt").write_text("\n".join(ids))
    (tmp_path / "val.txt").write_text("f7\nf8\n")
    return tmp_path


def names(root, role, split):
    ds = CamVid(dataset_root=str(root), role=role, split=split)
    return [ds.name(i)[:2] for i in range(len(ds))]


def test_every_kth_frame_in_order_is_labelled(root):
    assert names(root, "labeled", "1_3") == ["f3", "f2", "f6"]
    assert names(root, "unlabeled", "1_3") == ["f1", "f0", "f5", "f4"]
    assert names(root, "val", "1_3") == ["f7", "f8"]
    assert len(names(root, "labeled", "full")) == 7


def test_published_counts():
    counts = {k: len(split_rows(range(367), f"1_{k}", "labeled"))
              for k in (4, 8, 16, 32)}
    assert counts == {4: 92, 8: 46, 16: 23, 32: 12}


def test_full_leaves_nothing_unlabelled(root):
    with pytest.raises(DataError, match="split full.*0 images"):
        names(root, "unlabeled", "full")


@pytest.mark.parametrize("split", ["1_0", "1/8", "half", "2_8"])
def test_other_splits_are_refused(root, split):
    with pytest.raises(ArgumentError, match="full, or 1_k"):
        names(root, "labeled", split)


def test_where_to_put_the_data_is_said(tmp_path):
    with pytest.raises(DataError, match="get CamVid.*unlabeled_dataset."
                       "dataset_root"):
        names(tmp_path / "no", "unlabeled", "1_8")


def test_a_split_of_lists(root, monkeypatch):
    monkeypatch.chdir(root)
    row = "JPEGImages/{0}.jpg", "SegmentationClass/{0}.png"
    write_lists("data/splits/camvid/made", {
        "two/labeled": [[field.format("f4") for field in row]],
        "two/unlabeled": [["JPEGImages/f2.jpg"]],
        "val": [[field.format("f8") for field in row]]})

    def listed(role):
        ds = CamVid(dataset_root=str(root), role=role, split="made/two")
        return [ds.name(i) for i in range(len(ds))]

    assert listed("labeled") == ["JPEGImages/f4.jpg"]
    assert listed("unlabeled") == ["JPEGImages/f2.jpg"]
    assert listed("val") == ["JPEGImages/f8.jpg"]
    with pytest.raises(ArgumentError, match="did you mean 'made/two'"):
        CamVid(dataset_root=str(root), role="val", split="made/tow")

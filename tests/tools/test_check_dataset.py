# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import collections
import re
import shutil

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.transforms.geometric import RandomCrop
from tests.datasets.files import write_files
from tests.datasets.own_files import (
    folder_dataset,
    write_folders,
    write_image,
    write_mask,
)
from tests.datasets.test_list_dataset import make
from tests.support import tiny
from tools.check_dataset import check, crop_line, sizes_line


class Builder:
    """The three datasets over one folder."""

    def __init__(self, root):
        self.root = root

    def train_dataset(self):
        return make(self.root)

    def unlabeled_dataset(self):
        return make(self.root, role="unlabeled", list_file=None,
                    image_dir="imgs")

    def val_dataset(self):
        return None


@pytest.fixture()
def root(tmp_path):
    return write_files(tmp_path / "data", count=5)


def test_clean_files_have_no_problems(root, capsys):
    assert check(Builder(root), 2) == []
    out = capsys.readouterr().out
    shares = [float(x) for x in re.findall(r"([\d.]+)% +5 of 5", out)]
    assert len(shares) == 3 and abs(sum(shares) - 100) < 0.1
    assert "no problems found" in out


def test_all_problems_of_all_sections_are_listed(root, capsys):
    (root / "imgs" / "0.png").write_bytes(b"broken")
    (root / "imgs" / "1.png").unlink()
    Image.fromarray(np.full((9, 12), 7, np.uint8)).save(
        root / "masks" / "2.png")
    (root / "masks" / "0.png").unlink()
    problems = check(Builder(root), 2)
    expected = ["train_dataset: .*imgs/0.png: the image cannot",
                "train_dataset: .*masks/0.png: the mask is missing",
                "train_dataset: .*imgs/1.png: the image is missing",
                "train_dataset: .*masks/2.png: the mask is 12 x 9",
                "train_dataset: .*masks/2.png: the mask holds 7",
                "unlabeled_dataset: .*imgs/0.png: the image cannot"]
    assert len(problems) == len(expected)
    for problem, pattern in zip(problems, expected):
        assert re.match(pattern, problem)
    with pytest.raises(DataError, match="missing"):  # the check is on again
        make(root)
    assert "6 problems" in capsys.readouterr().out


def test_a_missing_list_does_not_hide_the_rest(root):
    (root / "list.txt").unlink()
    (root / "imgs" / "3.png").write_bytes(b"")
    problems = check(Builder(root), 1)
    assert len(problems) == 2
    assert "there is no such file" in problems[0]
    assert "imgs/3.png" in problems[1]


def test_validation_images_seen_in_training_are_noted(root, capsys):
    builder = Builder(root)
    builder.val_dataset = lambda: make(root, role="val")
    assert check(builder, 1) == []
    out = capsys.readouterr().out
    assert "5 images of val_dataset are also in train_dataset" in out


def own(tmp_path, labelled=5, **changes):
    """A configuration of a user's own folders: (its path, the folder)."""
    root = write_folders(tmp_path / "own", labelled=labelled)
    path = tiny.config(tmp_path)
    tree = yaml.safe_load(path.read_text())
    data = {"type": "FolderDataset", "dataset_root": str(root),
            "mask_dir": "masks"}
    for section in ("train_dataset", "unlabeled_dataset", "val_dataset"):
        given = tree[section]
        tree[section] = {**data, **{k: v for k, v in given.items() if k in (
            "transforms", "masks")}, **changes}
    tree.update(num_classes=3, val_split=0.2)
    path.write_text(yaml.safe_dump(tree))
    return path, root


def found(path, *opts):
    """Run the tool: (status, printed lines)."""
    status, out, err = tiny.run("tools/check_dataset.py", "--config", path,
                                "--num_workers", 2,
                                *(("--opts", *opts) if opts else ()))
    assert "Traceback" not in err, err
    return status, out.splitlines() + err.splitlines()


def test_a_run_is_described(tmp_path):
    path, _ = own(tmp_path)
    status, lines = found(path)
    assert status == 0, lines
    start = lines.index("train_dataset: 4 images")
    assert lines[start + 1:start + 3] == [
        "  sizes (w x h): 12 x 10 (4)",
        "  crops of 32 x 32; 4 of 4 images are smaller than that and get a "
        "border"]
    assert {"unlabeled_dataset: 4 images", "val_dataset: 1 images",
            "no problems found", "CPSCutMix takes 4 labeled images, 4 "
            "unlabeled images; batch_size 2: an epoch is 2 steps, the run 8 "
            "steps = 4 epochs"} <= set(lines)


def test_what_a_method_leaves_unused(tmp_path):
    path, _ = own(tmp_path, labelled=6)
    status, lines = found(path, "method={type: Supervised}", "epochs=3",
                          "accumulate_steps=2")
    assert status == 0
    assert ("Supervised takes 5 labeled images; unlabeled_dataset is not used;"
            " batch_size 2: an epoch is 1 steps, the run 3 steps = 3 epochs"
            ) in lines


def test_held_out_images_in_training_are_a_problem(tmp_path):
    path, _ = own(tmp_path)
    changes = ("unlabeled_dataset.mask_dir=null",)
    status, lines = found(path, *changes)
    assert status == 1
    text = ("val_split = 0.2 holds 1 images out that the unlabeled ones hold, "
            "too, first: ")
    assert any(line.startswith(text) for line in lines)
    assert any(line.startswith("note: 1 images of val_dataset are also in "
                               "unlabeled_dataset") for line in lines)
    status, _, err = tiny.run("train.py", "--config", path, "--opts", *changes)
    assert status == 2 and text in err and "Traceback" not in err


class Own:
    """Sections of a user's folders."""

    def __init__(self, root, **options):
        self.root, self.options = root, options

    def _make(self, role):
        return folder_dataset(self.root, role, **self.options)

    def train_dataset(self):
        return self._make("labeled")

    def unlabeled_dataset(self):
        return self._make("unlabeled")

    def val_dataset(self):
        return None


def notes(builder, capsys):
    assert check(builder, 1) == []
    return [line for line in capsys.readouterr().out.splitlines()
            if line.startswith("note")]


@pytest.fixture()
def folders(tmp_path):
    return write_folders(tmp_path / "own")


def test_copies_are_noted(folders, capsys):
    images = folders / "images"
    assert not notes(Own(folders), capsys)
    shutil.copy(images / "l1.jpg", images / "u8.jpg")
    shutil.copy(images / "u1.jpg", images / "u9.jpg")
    first, second = notes(Own(folders), capsys)
    assert re.match(r"note: 1 images of unlabeled_dataset are in it already, "
                    r"first: .*/u9.jpg equals .*/u1.jpg", first)
    assert re.match(r"note: 1 images of unlabeled_dataset are also in "
                    r"train_dataset, first: .*/u8.jpg equals .*/l1.jpg",
                    second)


def test_depth_turns_and_absent_classes_are_noted(folders, capsys):
    write_image(folders / "images" / "l1.jpg", size=(10, 12))
    image = Image.open(folders / "images" / "l1.jpg")
    exif = image.getexif()
    exif[0x0112] = 8
    image.save(folders / "images" / "l1.jpg", exif=exif)
    cv2.imwrite(str(folders / "images" / "u9.png"),
                np.full((10, 12), 999, np.uint16))
    for i in range(5):
        write_mask(folders / "masks" / f"l{i}.png", [0, 255])
    turned, absent, deep = notes(Own(
        folders, num_classes=2, class_names=["ground", "tree"]), capsys)
    assert "train_dataset: 1 images are turned upright" in turned
    assert absent == ("note: train_dataset: no pixel is of tree; do the masks "
                      "hold 0 and 255? mask_values: [0, 255]")
    assert "unlabeled_dataset: 1 images have 16 bits" in deep
    assert "up to 999; image_range: [0, 999]" in deep


@pytest.mark.parametrize("ops, sizes, line", [
    ([], {(9, 9): 2}, None),
    ([{"size": [40, 30]}], {(9, 9): 2}, "whole images, resized to 40 x 30"),
    ([{"crop": [32, 24]}], {(40, 20): 1, (40, 30): 2},
     "crops of 32 x 24; 1 of 5 images are smaller"),
    ([{"size": [32, 32], "keep": True}, {"crop": [32, 20]}],
     {(64, 40): 2, (64, 32): 1}, "crops of 32 x 20 from images resized to fit "
     "into 32 x 32; 1 of 5 images are smaller"),
])
def test_crops_beside_sizes(folders, ops, sizes, line):
    made = [manager.TRANSFORMS["Resize"](target_size=op["size"],
                                         keep_ratio=op.get("keep", False))
            if "size" in op else RandomCrop(crop_size=op["crop"])
            for op in ops]
    found_line = crop_line(folder_dataset(folders, transforms=made), sizes)
    assert found_line == line or found_line.startswith(line)


def test_many_sizes_are_summed_up():
    sizes = collections.Counter({(9, 5): 3, (2, 2): 1, (8, 9): 1, (4, 4): 1})
    assert sizes_line(sizes) == ("4 sizes (w x h): 2 x 2 to 8 x 9, most often "
                                 "9 x 5")

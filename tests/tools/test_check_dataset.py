# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import re

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from tests.datasets.files import write_files
from tests.datasets.test_list_dataset import make
from tools.check_dataset import check


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

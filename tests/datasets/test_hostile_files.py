# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures and lists that mean harm; and names that leave their folder."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs import safe_image, text_file
from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.base import read_image, read_mask
from contrib_semiseg.datasets.camvid import CamVid
from contrib_semiseg.datasets.image_files import find_images
from contrib_semiseg.datasets.list_dataset import read_list
from contrib_semiseg.engine.predictor import output_names
from tests.datasets.files import write_files
from tests.datasets.test_list_dataset import make
from tests.support import hostile
from tests.support.fuzzing import in_time

HUGE = 100_000
READERS = pytest.mark.parametrize("read, channels", [(read_image, 3),
                                                     (read_mask, 1)])


def refused(read, path, said):
    with in_time(10), hostile.little_memory(), \
            pytest.raises(DataError) as caught:
        read(path)
    assert str(path) in str(caught.value) and said in str(caught.value)


@READERS
@pytest.mark.parametrize("size", [(HUGE, HUGE), (1 << 31, 1), (14000, 14000)])
def test_a_header_of_many_pixels(tmp_path, monkeypatch, read, channels, size):

    def load(*_):
        raise AssertionError("pixels are decoded")

    monkeypatch.setattr(Image.Image, "load", load)
    path = tmp_path / "x.png"
    path.write_bytes(hostile.png(*size, channels=channels))
    refused(read, path, "cannot be read")
    # Whatever a program that uses the package allows Pillow.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    said = "178956970" if size[0] <= HUGE else "cannot be read"
    refused(read, path, said)


def test_many_pixels_are_one_line_of_an_error(tmp_path):
    (tmp_path / "x.png").write_bytes(hostile.png(13000, 13000))
    code = ("from contrib_semiseg import environment; environment.prepare()\n"
            "from contrib_semiseg.cvlibs import cli\n"
            "from contrib_semiseg.datasets.base import read_image\n"
            f"cli.run(lambda: read_image({str(tmp_path / 'x.png')!r}))\n")
    result = subprocess.run([sys.executable, "-c", code], text=True,
                            capture_output=True, check=False)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert "x.png: the image cannot be read" in result.stderr


def test_a_picture_as_large_as_allowed_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_image, "MOST_PIXELS", 12)
    for size, fits in (((4, 3), True), ((13, 1), False)):
        Image.new("RGB", size).save(tmp_path / "x.png")
        if fits:
            assert read_image(tmp_path / "x.png").shape == (3, 4, 3)
        else:
            refused(read_image, tmp_path / "x.png", "13 x 1 pixels")


@READERS
def test_formats_that_other_programs_would_run(tmp_path, monkeypatch, read,
                                               channels):
    from PIL import EpsImagePlugin

    def run(*_, **__):
        raise AssertionError("Ghostscript is called")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    path = tmp_path / "x.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
                     b"%%EndComments\n(x) print\n")
    refused(read, path, "cannot identify")


@READERS
def test_a_text_that_swells(tmp_path, read, channels):
    path = tmp_path / "x.png"
    path.write_bytes(hostile.png(4, 3, channels=channels,
                                 extra=hostile.png_text(4 << 20)))
    refused(read, path, "cannot be read")


@READERS
def test_a_pipe_is_not_waited_for(tmp_path, read, channels):
    os.mkfifo(tmp_path / "x.png")
    refused(read, tmp_path / "x.png", "not a regular file")


@pytest.mark.parametrize("value", [3.0, 1.5, float("nan"), float("inf")])
def test_masks_of_fractions(tmp_path, value):
    path = tmp_path / "x.tif"
    Image.fromarray(np.full((2, 2), value, np.float32)).save(path)
    refused(read_mask, path, "allowed: 0..255")


@pytest.mark.parametrize("data, said", [
    (b"a b\n" + b"x" * 10**8, "line 2 is longer than 16384 bytes"),
    (b"a\nb\0c\n", "not a text file (line 2"),
    (b"a\n\xff\n", "not a text file in UTF-8 (line 2"),
])
def test_lists(tmp_path, data, said):
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    refused(read_list, path, said)
    refused(lambda p: find_images(str(p)), path, said)


def test_a_list_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "_MOST_BYTES", 100)
    path = tmp_path / "x.txt"
    path.write_text("a b\n" * 25)
    assert len(read_list(path)) == 25
    path.write_text("a b\n" * 26)
    refused(read_list, path, "larger than 100 bytes")


def test_a_folder_is_no_list(tmp_path):
    refused(read_list, tmp_path, "cannot be read: Is a directory")


def test_an_absolute_path_is_read_and_written_below(tmp_path):
    root = write_files(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.replace(root / "imgs" / "0.png", elsewhere / "0.png")
    (root / "list.txt").write_text(
        f"{elsewhere}/0.png masks/0.png\n../elsewhere/0.png masks/0.png\n")
    data = make(root)
    assert data.read(0)[0].shape == data.read(1)[0].shape == (10, 12, 3)
    assert data.name(0) == f"{elsewhere}/0.png"[1:]
    assert data.name(1) == "elsewhere/0.png"


def test_ids_of_camvid_stay_below_too(tmp_path):
    write_files(tmp_path / "JPEGImages" / "sub")
    os.symlink("JPEGImages", tmp_path / "SegmentationClass")
    for name in ("0.jpg", "0.png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    (tmp_path / "train.txt").write_text("../0\n")
    data = CamVid(role="labeled", dataset_root=str(tmp_path))
    assert data.name(0) == "0.jpg" and data.read(0)[1].shape == (4, 4)


@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/a.png", ".."])
def test_outputs_are_not_written_elsewhere(name):
    with pytest.raises(DataError, match="no name of an output"):
        output_names(["b.png", name])
    assert output_names(["..a/b..png"]) == ["..a/b."]


def test_two_pictures_of_one_name(tmp_path):
    for folder in ("", "sub"):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / folder / "a.png")
    path = tmp_path / "sub" / "list.txt"
    path.write_text("a.png\n./a.png\n")
    assert len(find_images(str(path))) == 2
    path.write_text("a.png\n../a.png\n")
    refused(lambda p: find_images(str(p)), path, "both be written as a.png")


def test_a_link_to_a_picture_is_followed(tmp_path):
    Image.new("L", (4, 3), 7).save(tmp_path / "a.png")
    os.symlink("a.png", tmp_path / "b.png")
    os.symlink("c.png", tmp_path / "c.png")
    assert (read_mask(tmp_path / "b.png") == 7).all()
    refused(read_mask, tmp_path / "c.png", "Too many levels")

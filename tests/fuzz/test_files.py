# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Lists, pictures and masks, whatever they hold: a value or one error."""

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from contrib_semiseg.cvlibs.text_file import read_lines
from contrib_semiseg.datasets.base import read_image, read_mask
from contrib_semiseg.datasets.camvid import CamVid
from contrib_semiseg.datasets.image_files import find_images
from contrib_semiseg.datasets.list_dataset import (
    Dataset,
    ListDataset,
    output_name,
    read_list,
)
from contrib_semiseg.engine import labeling
from contrib_semiseg.engine.predictor import output_names
from tests.datasets.files import write_files
from tests.support.fuzzing import damaged, outcome, properties

FOLDER = tempfile.TemporaryDirectory()
ROOT = write_files(Path(FOLDER.name, "data"))
LINES = st.lists(st.one_of(
    st.sampled_from(["imgs/0.png masks/0.png", "imgs/1.png", "../", "\t",
                     " ", "\0", "\ufeff", "\r", "\n", "\u2028", "\f",
                     "a" * 20000, "b" * 300, "imgs/0.png/", "/etc/passwd",
                     "imgs"]),
    st.text(max_size=6)), max_size=8).map(
        lambda parts: "\n".join(parts).encode("utf-8", "surrogatepass"))


def stays_below(names):
    for name in names:
        for one in (name, *output_names([name])):
            path = os.path.realpath(os.path.join(FOLDER.name, "out", one))
            assert path.startswith(os.path.join(
                os.path.realpath(FOLDER.name), "out")), name


@properties(150, text=st.one_of(LINES, damaged(
    [(ROOT / "list.txt").read_bytes()])), ids=st.booleans())
def check_lists(text, ids):
    path = ROOT / "fuzz.txt"
    path.write_bytes(text)
    outcome(lambda: read_list(path), path)
    changes = dict(image_dir="imgs", image_suffix=".png",
                   mask_dir="masks") if ids else {}
    for make in (
            lambda: ListDataset(
                dataset_root=str(ROOT), role="labeled", num_classes=3,
                list_file="fuzz.txt", **changes),
            lambda: Dataset(
                dataset_root=str(ROOT), role="val", num_classes=3,
                mode="val", val_path="fuzz.txt")):
        found = outcome(make, path, "list_file", "val_path")
        stays_below([] if found is None else [row.name for row in found.rows])
    found = outcome(lambda: find_images(str(path)), path)
    stays_below(name for _, name in found or ())
    (ROOT / "train.txt").write_bytes(text)
    outcome(lambda: CamVid(role="labeled", dataset_root=str(ROOT)),
            ROOT / "train.txt", "dataset_root")


test_lists, test_lists_long = check_lists


@properties(200, name=st.one_of(st.text(st.characters(
    exclude_categories=["Cs"], exclude_characters="\0")),
    st.lists(st.sampled_from(["..", ".", "", "/", "a", "\\", "~",
                              "C:"])).map("/".join)))
def check_names(name):
    stays_below([output_name(name)])


test_names, test_names_long = check_names


def _encoded():
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    palette = Image.fromarray(colors[..., 0] % 3, "P")
    palette.putpalette([9, 8, 7] * 256)
    exif = Image.Exif()
    exif[0x0112] = 6
    pictures = {"RGB": Image.fromarray(colors), "P": palette,
                "L": Image.fromarray(colors[..., 0]),
                "I;16": Image.fromarray(colors[..., 0].astype(np.uint16))}
    for mode, kind, options in (
            ("RGB", "PNG", {}), ("P", "PNG", {}), ("I;16", "PNG", {}),
            ("L", "JPEG", {}), ("RGB", "JPEG", {"exif": exif}),
            ("RGB", "TIFF", {"exif": exif}), ("L", "TIFF", {
                "compression": "tiff_lzw"}), ("RGB", "BMP", {}),
            ("RGB", "WEBP", {"exif": exif}), ("P", "GIF", {}),
            ("RGB", "PPM", {})):
        file = io.BytesIO()
        pictures[mode].save(file, kind, **options)
        yield file.getvalue()


PICTURES = list(_encoded())


def picture(data):
    path = Path(FOLDER.name, "picture.png")
    path.write_bytes(data)
    image = outcome(lambda: read_image(path), path)
    mask = outcome(lambda: read_mask(path), path)
    for found, count in ((image, 3), (mask, 2)):
        if found is not None:
            assert found.dtype == np.uint8 and found.ndim == count
    return image, mask


def test_the_pictures_are_read_before_they_are_damaged():
    shapes = [(i.shape, m is not None) for i, m in map(picture, PICTURES)]
    assert shapes == [((5, 4, 3), False), ((5, 4, 3), True), ((5, 4, 3), True),
                      ((5, 4, 3), True), ((4, 5, 3), False),
                      ((4, 5, 3), False), ((5, 4, 3), True),
                      ((5, 4, 3), False), ((4, 5, 3), False),
                      ((5, 4, 3), True), ((5, 4, 3), False)]


@properties(300, data=damaged(PICTURES))
def check_pictures(data):
    picture(data)


test_pictures, test_pictures_long = check_pictures

LABELS = (b"image,mask,confidence,labeled,crc32\n"
          b'a.png,masks/a.png,0.5,1.0,0a\n"b,c",masks/b.png,0.5,1.0,0b\n')


@properties(100, data=damaged([LABELS]))
def check_labels(data):
    path = Path(FOLDER.name, labeling.LABELS)
    path.write_bytes(data)
    outcome(lambda: labeling.read_labels(FOLDER.name), path)


test_labels, test_labels_long = check_labels


@properties(100, data=st.one_of(LINES, st.binary()))
def check_lines(data):
    path = Path(FOLDER.name, "lines.txt")
    path.write_bytes(data)
    found = outcome(lambda: list(read_lines(path)), path)
    if found is not None:
        text = data.decode("utf-8-sig")
        assert [line for _, line in found if line] == [
            line.rstrip("\r") for line in text.split("\n")
            if line.rstrip("\r")]


test_lines, test_lines_long = check_lines

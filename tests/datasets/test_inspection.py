# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import os
import shutil
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import UserError
from contrib_semiseg.datasets import inspection
from contrib_semiseg.datasets.reading import read_image, read_mask
from tests.datasets.own_files import (
    folder_dataset,
    write_folders,
    write_image,
)


@pytest.fixture()
def root(tmp_path):
    return write_folders(tmp_path / "own")


def sections(root):
    return {"train_dataset": folder_dataset(root),
            "unlabeled_dataset": folder_dataset(root, "unlabeled")}


def twins_of(root, processes=1):
    _, twins = inspection.inspect_all(sections(root), processes)
    return sorted(sorted(os.path.basename(p) for p in paths)
                  for paths in twins)


@pytest.mark.parametrize("processes", [1, 2])
def test_everything_is_counted(root, processes):
    seen = []
    found, twins = inspection.inspect_all(sections(root), processes,
                                          seen.append)
    assert sum(seen) == len(found.looks) == 9 and not twins
    assert found.pixels["train_dataset"][:4].tolist() == [200, 200, 200, 0]
    assert found.images["train_dataset"][:4].tolist() == [5, 5, 5, 0]
    assert not found.pixels["unlabeled_dataset"].any()
    assert {one.size for one in found.looks.values()} == {(12, 10)}
    assert found.problems == {"train_dataset": [], "unlabeled_dataset": []}


def test_a_file_of_two_sections_is_decoded_once(root, monkeypatch):
    opened = []
    real = inspection.open_image
    monkeypatch.setattr(inspection, "open_image", lambda path, **options: (
        opened.append(path), real(path, **options))[1])
    datasets = {"train_dataset": folder_dataset(root),
                "val_dataset": folder_dataset(root, "val")}
    found, _ = inspection.inspect_all(datasets, 1)
    assert len(opened) == 5
    for section in datasets:
        assert found.pixels[section].sum() == 600


def test_copies_are_found_whatever_their_name_and_format(root):
    images = root / "images"
    shutil.copy(images / "l1.jpg", images / "u9.jpeg")
    Image.open(images / "l2.jpg").save(images / "u8.png")
    write_image(images / "u7.png", 2)  # as l2 was before it was a JPEG
    assert twins_of(root) == [["l1.jpg", "u9.jpeg"], ["l2.jpg", "u8.png"]]
    assert twins_of(root, 2) == twins_of(root)


def test_one_pixel_tells_images_apart(root):
    image = np.zeros((40, 40, 3), np.uint8)
    for name in ("u7.png", "u8.png", "u9.png"):
        if name == "u9.png":
            image[3, 3, 1] = 1
        Image.fromarray(image).save(root / "images" / name)
    assert twins_of(root) == [["u7.png", "u8.png"]]


def test_equal_pixels_of_another_shape_are_another_image(root):
    for name, shape in (("u7.png", (8, 32, 3)), ("u8.png", (32, 8, 3))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(root / "images" / name)
    assert not twins_of(root)


def test_depth_and_turns_are_noted(root):
    cv2.imwrite(str(root / "images" / "u7.png"),
                np.full((10, 12), 4095, np.uint16))
    image = Image.open(root / "images" / "u0.jpg")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(root / "images" / "u0.jpg", exif=exif)
    found, _ = inspection.inspect_all(sections(root), 1)
    looks = {os.path.basename(p): one for p, one in found.looks.items()}
    assert looks["u7.png"].deepest == 4095 and looks["u1.jpg"].deepest is None
    assert looks["u0.jpg"].turned and not looks["u1.jpg"].turned
    assert looks["u0.jpg"].size == (10, 12)


def test_broken_files_are_listed_by_section(root):
    (root / "images" / "u1.jpg").write_bytes(b"x")
    (root / "images" / "l1.jpg").write_bytes(b"x")
    (root / "masks" / "l2.png").write_bytes(b"x")
    found, _ = inspection.inspect_all(sections(root), 2)
    train, unlabeled = found.problems.values()
    assert "l1.jpg: the image cannot" in train[0]
    assert "l2.png: the mask cannot" in train[1]
    assert "u1.jpg: the image cannot" in unlabeled[0]
    assert len(train) == 2 and len(unlabeled) == 1
    assert found.images["train_dataset"][0] == 4


def test_a_killed_process_is_one_line(root, monkeypatch):
    monkeypatch.setattr(inspection, "look", lambda *_: os.kill(os.getpid(), 9))
    with pytest.raises(UserError, match="killed.*--num_workers"):
        inspection.inspect_all(sections(root), 2)


def decode(job):
    for row in job:
        read_image(row.image)
        read_mask(row.mask)


def rate_of_decoding(rows, processes):
    jobs = [rows[i:i + 16] for i in range(0, len(rows), 16)]
    start = time.perf_counter()
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        list(pool.map(decode, jobs))
    return len(rows) / (time.perf_counter() - start)


def rate_of_checking(dataset, processes):
    start = time.perf_counter()
    inspection.inspect_all({"train_dataset": dataset}, processes)
    return len(dataset) / (time.perf_counter() - start)


@pytest.mark.slow
def test_checking_is_as_fast_as_decoding(tmp_path):
    """10,000 images of 480 x 360 with masks; both speeds are printed."""
    rng = np.random.default_rng(0)
    count = int(os.environ.get("SEMISEG_SPEED_IMAGES", 10000))
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(count):
        colors = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(cv2.resize(colors, (480, 360))).save(
            tmp_path / "images" / f"{i:05d}.jpg")
        Image.fromarray(np.kron(rng.integers(0, 3, (12, 16), dtype=np.uint8),
                                np.ones((30, 30), np.uint8))).save(
            tmp_path / "masks" / f"{i:05d}.png")
    dataset = folder_dataset(tmp_path)
    processes = len(os.sched_getaffinity(0))
    pairs = [(rate_of_decoding(dataset.rows, processes),
              rate_of_checking(dataset, processes)) for _ in range(3)]
    for decoding, checking in pairs:
        print(f"decoding {decoding:.0f} images/s, checking {checking:.0f}: "
              f"{checking / decoding:.2f}")
    assert np.median([c / d for d, c in pairs]) >= 0.9

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Interrupted, run twice, run together, and with something missing."""

import fcntl
import os

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.preparation import cityscapes, results
from tests.preparation.prepared import digests, files, lines, prepare
from tests.support import official_trees as trees


@pytest.fixture()
def downloads(tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    trees.cityscapes(folder)
    return folder


def times(root):
    return {name: os.stat(root / name).st_mtime_ns for name in files(root)
            if name.endswith(".png")}


def test_a_second_run_makes_nothing_and_agrees(downloads, tmp_path, capsys):
    root = tmp_path / "cs"
    prepare("cityscapes", downloads, root)
    before = times(root)
    assert "(as when first prepared)" not in capsys.readouterr().out
    prepare("cityscapes", downloads, root)
    assert times(root) == before
    assert not [name for name in files(root) if name.endswith(".part")]
    assert capsys.readouterr().out.count("(as when first prepared)") == 2


def test_an_interrupted_run_goes_on(downloads, tmp_path, monkeypatch):
    root, put, count = tmp_path / "cs", results.put_mask, []

    def fail_at_third(path, mask):
        count.append(path)
        if len(count) == 3:
            raise KeyboardInterrupt
        put(path, mask)

    monkeypatch.setattr(results, "put_mask", fail_at_third)
    with pytest.raises(KeyboardInterrupt):
        prepare("cityscapes", downloads, root)
    assert not (root / "train.txt").exists()
    done = times(root)
    monkeypatch.setattr(results, "put_mask", put)
    prepare("cityscapes", downloads, root)
    assert {k: v for k, v in times(root).items() if k in done} == done
    prepare("cityscapes", downloads, tmp_path / "other")
    assert digests(root) == digests(tmp_path / "other")


def test_files_that_are_not_whole_are_made_again(downloads, tmp_path):
    root = tmp_path / "cs"
    prepare("cityscapes", downloads, root)
    wanted = digests(root)
    image = next(root.rglob("aachen_000000*_leftImg8bit.png"))
    mask = next(root.rglob("aachen_000001*_labelTrainIds.png"))
    whole = {path: path.read_bytes() for path in (image, mask)}
    for path, data in whole.items():
        path.write_bytes(data[:-20])
    other = next(root.rglob("lindau*_leftImg8bit.png"))
    whole[other] = other.read_bytes()
    Image.new("RGB", (44, 36)).save(other)  # whole, and another one
    (root / "gtFine/train/aachen/x.png.part").write_bytes(b"left over")
    prepare("cityscapes", downloads, root)
    assert digests(root) == wanted
    assert {path: path.read_bytes() for path in whole} == whole


def test_altered_files_are_noticed_and_made_again(downloads, tmp_path):
    root = tmp_path / "cs"
    prepare("cityscapes", downloads, root)
    wanted = digests(root)
    mask = next((root / "gtFine/val").rglob("*_labelTrainIds.png"))
    Image.fromarray(np.zeros((36, 44), np.uint8)).save(mask)
    with pytest.raises(DataError, match="val.txt: the digest .* was "
                       f"{wanted['val.txt']} .*--overwrite"):
        prepare("cityscapes", downloads, root)
    prepare("cityscapes", downloads, root, "--overwrite")
    assert digests(root) == wanted


def test_altered_images_are_noticed_too(downloads, tmp_path):
    root = tmp_path / "cs"
    prepare("cityscapes", downloads, root)
    image = next((root / "leftImg8bit/val").rglob("*.png"))
    data = bytearray(image.read_bytes())
    data[-20] ^= 1  # of as many bytes as before
    image.write_bytes(data)
    with pytest.raises(DataError, match="val.txt: the digest"):
        prepare("cityscapes", downloads, root)


def test_a_part_of_the_dataset_must_be_asked_for(downloads, tmp_path):
    from contrib_semiseg.datasets.label_ids import class_table
    from contrib_semiseg.preparation.tool import Target

    with pytest.raises(DataError, match="train.txt: 3 images with masks; "
                       "expected 2975.*--partial"):
        cityscapes.prepare(Target(str(tmp_path / "cs")), [str(downloads)],
                           class_table("cityscapes"))
    assert not (tmp_path / "cs/train.txt").exists()


def test_the_whole_dataset_needs_no_asking(downloads, tmp_path, monkeypatch):
    from contrib_semiseg.datasets.label_ids import class_table
    from contrib_semiseg.preparation.tool import Target

    monkeypatch.setattr(cityscapes, "EXPECTED", {"train.txt": 3,
                                                 "val.txt": 2})
    cityscapes.prepare(Target(str(tmp_path / "cs")), [str(downloads)],
                       class_table("cityscapes"))
    assert len(lines(tmp_path / "cs/train.txt")) == 3


def test_a_partial_run_may_be_completed(downloads, tmp_path):
    root = tmp_path / "cs"
    for name in ("leftImg8bit", "gtFine"):
        trees.unpack(downloads / f"{name}_trainvaltest.zip", tmp_path / "few")
    next((tmp_path / "few").rglob("bremen*_leftImg8bit.png")).unlink()
    prepare("cityscapes", tmp_path / "few", root)
    assert len(lines(root / "train.txt")) == 2
    prepare("cityscapes", downloads, root)
    assert len(lines(root / "train.txt")) == 3


def test_two_runs_do_not_meet(downloads, tmp_path):
    root = tmp_path / "cs"
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(DataError, match="another preparation is at work"):
        prepare("cityscapes", downloads, root)
    os.close(handle)
    prepare("cityscapes", downloads, root, workers=2)
    prepare("cityscapes", downloads, root)  # the lock is free again


def test_a_negative_number_of_workers_is_refused(downloads, tmp_path):
    with pytest.raises(ArgumentError, match="--num_workers = -1.*0 or more"):
        prepare("cityscapes", downloads, tmp_path / "cs", workers=-1)


def test_values_that_are_no_classes_are_refused(downloads, tmp_path):
    root = tmp_path / "cs"
    prepare("cityscapes", downloads, root)
    mask = next((root / "gtFine/val").rglob("*_labelTrainIds.png"))
    Image.fromarray(np.full((36, 44), 19, np.uint8)).save(mask)
    with pytest.raises(DataError, match=f"{mask.name}: the mask holds 19"):
        prepare("cityscapes", downloads, root)

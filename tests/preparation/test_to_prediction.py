# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From the archives as published to a prediction, for each dataset."""

import shutil
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import pytest
from PIL import Image

import predict
import train
import val
from contrib_semiseg.datasets.cityscapes import cps_place
from contrib_semiseg.datasets.coco import CLASS_NAMES
from tests.preparation.prepared import lines, prepare
from tests.support import official_trees as trees
from tests.support import tiny
from tools import check_dataset


def same(name):
    return name


class Source(NamedTuple):
    """A dataset's archives, its tool's options, and what they become."""

    make: Callable
    name: str
    kind: str
    list_file: str = ""  # none: CamVid's ids
    options: tuple = ()
    place: Callable = same
    needs: str = "numpy"


def make_coco(folder):
    trees.coco(folder, CLASS_NAMES)


def make_panoptic(folder):
    trees.coco_panoptic(folder, CLASS_NAMES)


SOURCES = {
    "voc": Source(trees.voc, "voc", "VOC", "train_aug.txt", needs="scipy"),
    "cityscapes": Source(trees.cityscapes, "cityscapes", "Cityscapes",
                         "train.txt"),
    "cityscapes of CPS": Source(trees.cityscapes, "cityscapes", "Cityscapes",
                                "train.txt", place=cps_place),
    "coco": Source(make_coco, "coco", "COCO", "train.txt",
                   needs="pycocotools"),
    "coco panoptic": Source(make_panoptic, "coco", "COCO", "train.txt",
                            ("--masks", "panoptic")),
    "camvid": Source(trees.camvid_tutorial, "camvid", "CamVid"),
    "camvid original": Source(
        trees.camvid_original, "camvid", "CamVid", "", (
            "--source", "original", "--size", "44", "36"))}


def write_split(name, list_file):
    """Make the first image of the training list the labelled one."""
    training, validation = (
        [line.split("\t") for line in lines(Path(f"data/{name}", file))]
        for file in (list_file, "val.txt"))
    trees.write_lists(f"data/splits/{name}/mini", {
        "one/labeled": training[:1], "one/unlabeled": [
            row[:1] for row in training[1:]], "val": validation})


def move(root, place):
    """Put the files of a prepared dataset into another layout."""
    for path in [p for p in root.rglob("*.png")]:
        target = root / place(path.relative_to(root).as_posix())
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    for folder in ("leftImg8bit", "gtFine"):
        shutil.rmtree(root / folder)


def configure(folder, source):
    """A configuration of a run of seconds on the prepared dataset."""
    data = {"type": source.kind, "dataset_root": f"data/{source.name}"}
    norm = {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}
    shared = [{"type": "PadRandomCrop", "crop_size": [32, 32]}, norm]
    path = tiny.config(
        folder, iters=1, save_interval=1, save_dir=str(folder / "run"),
        split="mini/one" if source.list_file else "1_2",
        train_dataset={**data, "transforms": shared},
        unlabeled_dataset={**data, "transforms": shared,
                           "masks": {"mask": {"type": "BoxMask"}}},
        val_dataset={**data, "transforms": [norm]})
    return str(path)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_from_archives_to_a_prediction(source, tmp_path, monkeypatch, capsys):
    pytest.importorskip(source.needs)
    monkeypatch.chdir(tmp_path)

    def call(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script.__name__, *arguments])
        return script.main()

    root = Path("data", source.name)
    source.make(tmp_path)
    prepare(source.name, tmp_path, root, *source.options)
    if source.list_file:
        write_split(source.name, source.list_file)
    if source.place is not same:
        move(root, source.place)
    config = configure(tmp_path, source)
    capsys.readouterr()
    assert not call(check_dataset, "--config", config, "--num_workers", "1"), \
        capsys.readouterr().out
    assert not call(train, "--config", config, "--do_eval")
    best = str(tmp_path / "run/best_model")
    assert not call(val, "--config", config, "--model_path", best, "--engine",
                    "eager")
    first = lines(root / "val.txt")[0].split("\t")[0]
    first = source.place(first) if source.list_file else \
        f"JPEGImages/{first}.jpg"
    assert not call(
        predict, "--config", config, "--model_path", best, "--engine",
        "eager", "--image_path", str(root / first), "--save_dir", "predicted")
    found = np.array(Image.open(f"predicted/class_map/{Path(first).stem}.png"))
    assert found.shape == trees.SIZE[::-1]
    out = capsys.readouterr().out
    assert "mIoU" in out and "1 images predicted" in out

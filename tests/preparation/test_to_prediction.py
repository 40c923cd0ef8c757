# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From the archives as published to a prediction, for each dataset."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import predict
import train
import val
from contrib_semiseg.datasets.coco import CLASS_NAMES
from tests.preparation.prepared import lines, prepare
from tests.support import official_trees as trees
from tests.support import tiny
from tools import check_dataset

SOURCES = {
    "voc": (trees.voc, "VOC", "train_aug.txt"),
    "cityscapes": (trees.cityscapes, "Cityscapes", "train.txt"),
    "coco": (lambda folder: trees.coco(folder, CLASS_NAMES), "COCO",
             "train.txt"),
    "camvid": (trees.camvid_tutorial, "CamVid", None)}  # ids, and its 1_k


def write_split(name, listed):
    """Make the first image of the training list the labelled one."""
    training, validation = (
        [line.split("\t") for line in lines(Path(f"data/{name}/{file}"))]
        for file in (listed, "val.txt"))
    trees.write_lists(f"data/splits/{name}/mini", {
        "one/labeled": training[:1], "one/unlabeled": [
            row[:1] for row in training[1:]], "val": validation})


def configure(folder, name, kind, split):
    """A configuration of a run of seconds on the prepared dataset."""
    data = {"type": kind, "dataset_root": f"data/{name}"}
    norm = {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}
    shared = [{"type": "PadRandomCrop", "crop_size": [32, 32]}, norm]
    path = tiny.config(
        folder, iters=1, save_interval=1, split=split,
        save_dir=str(folder / "run"),
        train_dataset={**data, "transforms": shared},
        unlabeled_dataset={**data, "transforms": shared,
                           "masks": {"mask": {"type": "BoxMask"}}},
        val_dataset={**data, "transforms": [norm]})
    return str(path)


@pytest.mark.parametrize("name", SOURCES)
def test_from_archives_to_a_prediction(name, tmp_path, monkeypatch, capsys):
    make, kind, listed = SOURCES[name]
    needs = {"voc": "scipy", "coco": "pycocotools"}.get(name)
    if needs:
        pytest.importorskip(needs)
    monkeypatch.chdir(tmp_path)

    def call(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script.__name__, *arguments])
        return script.main()

    make(tmp_path)
    prepare(name, tmp_path, f"data/{name}")
    if listed:
        write_split(name, listed)
    config = configure(tmp_path, name, kind, "mini/one" if listed else "1_2")
    capsys.readouterr()
    assert not call(check_dataset, "--config", config, "--num_workers", "1"), \
        capsys.readouterr().out
    assert not call(train, "--config", config, "--do_eval")
    best = str(tmp_path / "run/best_model")
    assert not call(val, "--config", config, "--model_path", best, "--engine",
                    "eager")
    first = lines(Path(f"data/{name}/val.txt"))[0].split("\t")[0]
    first = first if listed else f"JPEGImages/{first}.jpg"
    assert not call(
        predict, "--config", config, "--model_path", best, "--engine",
        "eager", "--image_path", f"data/{name}/{first}", "--save_dir",
        "predicted")
    stem = first.split("/")[-1].rsplit(".", 1)[0]
    found = np.array(Image.open(f"predicted/class_map/{stem}.png"))
    assert found.shape == trees.SIZE[::-1]
    out = capsys.readouterr().out
    assert "mIoU" in out and "1 images predicted" in out

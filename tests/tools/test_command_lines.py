# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From a run to scores, predictions, a comparison and a benchmark."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.support import tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder, config, predictions) of a short run."""
    folder = tmp_path_factory.mktemp("trained")
    config = tiny.config(folder, iters=1, save_interval=1)
    status, _, err = tiny.run("train.py", "--config", config, "--do_eval")
    assert status == 0, err
    images = next((folder / "scenes").glob("*/val"))
    status, out, err = tiny.run(
        "predict.py", "--config", config, "--model_path",
        folder / "run" / "best_model", "--engine", "eager", "--image_path",
        images, "--save_dir", folder / "predicted")
    assert status == 0, out + err
    return folder, config, folder / "predicted"


def test_val_prints_the_scores_of_training(trained):
    folder, config, _ = trained
    status, out, err = tiny.run(
        "val.py", "--config", config, "--model_path",
        folder / "run" / "best_model", "--engine", "eager")
    assert status == 0, err
    miou = re.search(r"^mIoU (\S+)  accuracy \S+  kappa \S+", out, re.M)[1]
    stored = (folder / "run" / "best_model" / "scores.json").read_text()
    assert float(miou) == pytest.approx(
        float(re.search(r'"miou": (\S+),', stored)[1]), abs=1e-4)
    assert len(re.findall(r"^(background|disc|wire) ", out, re.M)) == 3


def test_predictions_keep_names_and_folders(trained):
    _, _, predicted = trained
    names = sorted(p.relative_to(predicted).as_posix()
                   for p in predicted.rglob("*.*"))
    assert "class_map/images/00000.png" in names
    assert "color/images/00003.png" in names
    assert "overlay/images/00001.jpg" in names
    classes = np.array(Image.open(predicted / "class_map/images/00000.png"))
    assert classes.shape == (32, 32) and classes.max() < 8


def test_a_comparison_is_drawn(trained):
    folder, config, predicted = trained
    picture = folder / "out" / "comparison.png"
    status, out, err = tiny.run(
        "tools/draw_comparison.py", "--config", config, "--predictions",
        predicted, predicted, "--save_path", picture, "--count", 3,
        "--columns", 2, "--width", 32)
    assert status == 0, err
    # Two rows of 32 and columns of 2 x (image, truth, two predictions).
    assert Image.open(picture).size == (8 * 36 - 4, 2 * 36 - 4)


def test_the_benchmark_prints_its_figures(trained):
    _, config, _ = trained
    status, out, err = tiny.run("tools/benchmark.py", "--config", config,
                                "--steps", 2)
    assert status == 0, err
    for name in ("step / bare compute", "waiting for data",
                 "images per second", "peak memory of the process"):
        assert re.search(rf"^{re.escape(name)} +\d", out, re.M), out

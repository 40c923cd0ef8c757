# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From a run to scores, predictions, a comparison and a benchmark."""

import re
import shutil

import numpy as np
import pytest
import yaml
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


@pytest.mark.slow
def test_the_benchmark_compares_one_process_with_two(trained):
    _, config, _ = trained
    options = ("--config", config, "--scaling", 2, "--rounds", 1, "--steps", 2)
    status, out, err = tiny.run("tools/benchmark.py", *options,
                                "--batch_size", 4)
    assert status == 0, err
    found = re.search(r"1 x 4 .* ([\d.]+) s a step.*\n2 x 2 .* ([\d.]+) s a "
                      r"step[\s\S]*speed-up +([\d.]+) ", out)
    one, two, speedup = map(float, found.groups())
    assert speedup == pytest.approx(one / two, rel=0.02)
    status, _, err = tiny.run("tools/benchmark.py", *options,
                              "--batch_size=3")
    assert status == 2 and "allowed: a multiple of 2" in err


def test_pseudo_labels_become_a_dataset_to_train_on(trained, tmp_path):
    folder, config, _ = trained
    photos, out = tmp_path / "photos", tmp_path / "pseudo"
    shutil.copytree(next((folder / "scenes").glob("*/val/images")), photos)
    (photos / "broken.png").write_text("no picture")

    def make(*options):
        return tiny.run(
            "tools/make_pseudo_labels.py", "--config", config, "--model_path",
            folder / "run" / "best_model", "--image_path", photos,
            "--save_dir", out, "--engine", "eager", *options)

    status, said, err = make("--min_confidence", 0.5)
    assert status == 1, err  # one could not be read
    assert "4 images labelled" in said and "1 could not be read" in said
    rows = (out / "labels.csv").read_text().splitlines()
    assert len(rows) == 5 and rows[1].startswith("00000.png,masks/00000.png,")
    values = np.unique(np.array(Image.open(out / "masks" / "00000.png")))
    assert 255 in values and values[values < 255].max(initial=0) < 8
    status, said, _ = make("--min_confidence", 0.5)
    assert status == 1 and "4 of 5 images are done already" in said
    status, _, err = make("--min_confidence", 0.6)
    assert status == 2 and "min_confidence was 0.5, and is 0.6 now" in err
    status, _, err = make("--min_confidence", 2)
    assert status == 2 and "--min_confidence" in err
    tree = yaml.safe_load(config.read_text())
    del tree["train_dataset"]
    (tmp_path / "own.yml").write_text(yaml.safe_dump({
        **tree, "_base_": str(out / "dataset.yml"),
        "method": {"type": "Supervised"}}))
    status, said, err = tiny.run("train.py", "--config", tmp_path / "own.yml",
                                 "--save_dir", tmp_path / "run")
    assert status == 0, err
    assert "4 labeled images" in said

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The command lines val.py and predict.py, on two small pictures."""

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import paddle
import pytest
import yaml

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.engine import trained

ROOT = Path(__file__).parents[2]
CONFIG = dict(
    num_classes=3,
    val_dataset=dict(type="ListDataset", list_file="val.txt",
                     class_names=["sky", "road", "car"],
                     palette=[[1, 2, 3], [40, 50, 60], [70, 80, 90]],
                     transforms=[dict(type="Normalize", mean=[0.5] * 3,
                                      std=[0.5] * 3)]),
    model=dict(type="DeepLabV3P", backbone=dict(type="MobileNetV2_x0_25"),
               backbone_indices=[1, 3]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a configuration, two pictures and trained weights."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        cv2.imwrite(str(folder / f"{name}.jpg"),
                    rng.integers(0, 256, (40, 48, 3), np.uint8))
        cv2.imwrite(str(folder / f"{name}.png"),
                    rng.integers(0, 3, (40, 48), np.uint8))
    (folder / "val.txt").write_text("a.jpg a.png\nb.jpg b.png\n")
    config = dict(CONFIG, val_dataset=dict(CONFIG["val_dataset"],
                                           dataset_root=str(folder)))
    (folder / "c.yml").write_text(yaml.safe_dump(config))
    network = Builder(Config.load(folder / "c.yml")).make_model()
    (folder / "best_model").mkdir()
    paddle.save(network.state_dict(),
                str(folder / "best_model" / "model.pdparams"))
    return folder


def call(script, run, *arguments, monkeypatch):
    """Run a script as a user would; the exit status."""
    monkeypatch.setattr(sys, "argv", [
        script, "--config", str(run / "c.yml"), "--model_path", str(run),
        "--device", "cpu", *arguments])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    return stop.value.code


def test_val_prints_a_table_per_class(run, monkeypatch, capsys):
    status = call("val.py", run, "--engine", "eager", "--is_slide",
                  "--crop_size", "32", "32", monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert status == 0 and "engine: eager" in out
    assert all(word in out for word in ("sky", "road", "car", "mIoU", "kappa"))


def test_predict_a_folder_with_one_broken_picture(run, tmp_path, monkeypatch,
                                                  capsys):
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/sub/a.jpg").write_bytes((run / "a.jpg").read_bytes())
    (tmp_path / "in/bad.jpg").write_bytes(b"no picture")
    status = call("predict.py", run, "--image_path", str(tmp_path / "in"),
                  "--save_dir", str(tmp_path / "out"), "--engine", "eager",
                  "--aug_pred", "--flip_horizontal", monkeypatch=monkeypatch)
    out = capsys.readouterr().out
    assert status == 1 and "bad.jpg" in out
    assert "1 images predicted" in out and "1 could not be read" in out
    color = cv2.imread(str(tmp_path / "out/color/sub/a.png"))
    assert set(map(tuple, color.reshape(-1, 3)[:, ::-1].tolist())) <= {
        (1, 2, 3), (40, 50, 60), (70, 80, 90)}


@pytest.mark.parametrize("arguments, pixels", [
    (["--center_crop", "--crop_size", "20", "10"], 2 * 20 * 10),
    (["--is_slide", "--border", "cut", "--sum_softmax", "--crop_size", "32",
      "32"], 2 * 48 * 40)])
def test_val_in_every_mode(run, arguments, pixels, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr("contrib_semiseg.metrics.confusion.Scores.summary",
                        lambda s: seen.append(int(s.matrix.sum())) or "")
    assert call("val.py", run, "--engine", "eager", *arguments,
                monkeypatch=monkeypatch) == 0
    assert seen == [pixels]


@pytest.mark.parametrize("arguments, message", [
    (["--center_crop"], "--crop_size (test_config.crop_size)"),
    (["--border", "cut"], "--border has no effect without --is_slide"),
    (["--border", "shift"], "invalid choice: 'shift'"),
    (["--is_slide"], "--crop_size (test_config.crop_size)"),
    (["--scales", "0.5"], "--scales has no effect without --aug_eval"),
    (["--engine", "onnx"], "invalid choice: 'onnx'"),
    (["--opts", "num_classes=5", "val_dataset.class_names=null",
      "val_dataset.palette=null"], "does not fit DeepLabV3P")])
def test_mistakes_are_one_line(run, arguments, message, monkeypatch, capsys):
    assert call("val.py", run, *arguments, monkeypatch=monkeypatch) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert message in err[-1] and err[-1].startswith("error: ")


def test_where_the_weights_are(run, tmp_path):
    file = run / "best_model" / "model.pdparams"
    assert trained.weights_file(str(run)) == str(file)
    assert trained.weights_file(str(file.parent)) == str(file)
    assert trained.weights_file(str(file)) == str(file)
    (tmp_path / "iter_100").mkdir()
    with pytest.raises(CheckpointError, match="holds: iter_100"):
        trained.weights_file(str(tmp_path))


def test_pretrained_weights_are_not_looked_for(run):
    config = Config.load(run / "c.yml", [
        "model.pretrained=no_such_file", "model.backbone.pretrained=gone"])
    builder, network = trained.build_network(config, str(run))
    assert not network.training and builder.num_classes == 3
    assert config.get("model.pretrained") == "no_such_file"

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint to use, from the command line."""

import json
import re
import runpy
import shutil
import signal
import sys

import cv2
import numpy as np
import paddle
import pytest
import yaml
from PIL import Image

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from tests.support import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, configuration, pictures) with the weights of a network."""
    folder = tmp_path_factory.mktemp("deploy")
    config = tiny.config(folder)
    builder = Builder(Config.load(config))
    builder.val_dataset()  # which is generated
    (folder / "run").mkdir()
    paddle.save(builder.make_model().state_dict(),
                str(folder / "run" / "model.pdparams"))
    return folder, config, next((folder / "scenes").glob("*/val/images"))


@pytest.fixture
def call(run, monkeypatch, capsys):
    """Run a script in this process: (status, stdout, stderr)."""
    folder, config, _ = run

    def calls(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script, *map(str, (
            "--config", config, "--model_path", folder / "run", "--device",
            "cpu", *arguments))])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(tiny.ROOT / script), run_name="__main__")
        return (stop.value.code, *capsys.readouterr())

    return calls


def test_an_export_and_the_examples(run, call, tmp_path):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    _, _, pictures = run
    status, out, err = call("export.py", "--save_dir", tmp_path / "e",
                            "--onnx", "--input_shape", 1, 3, -1, -1)
    assert status == 0, err
    assert out.count("of the pixels have the same class") == 4
    deploy = yaml.safe_load((tmp_path / "e/deploy.yaml").read_text())["Deploy"]
    assert deploy["input_shape"] == [1, 3, None, None]
    status, _, err = call(
        "predict.py", "--image_path", pictures, "--engine", "eager",
        "--save_dir", tmp_path / "p", "--outputs", "class_map")
    assert status == 0, err
    files = sorted(pictures.glob("*.png"))
    for tool in ("infer_onnx", "infer_paddle"):
        status, out, err = tiny.run(f"tools/{tool}.py", tmp_path / "e",
                                    tmp_path / tool, *files)
        assert status == 0 and out.count(".png") == len(files), err
        for file in files:
            found, wanted = (np.array(Image.open(tmp_path / place / file.name))
                             for place in (tool, "p/class_map"))
            assert (found == wanted).mean() >= 0.999


def test_engines_are_compared(call):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    status, out, err = call("tools/compare_engines.py", "--rounds", 2)
    assert status == 0, err
    rows = re.findall(r"^\| (\S.*?) \| \d\.\d+ \| .* \| (\S+)% \| (\S+)% \| "
                      r"(\S+) \|$", out, re.M)
    assert [name for name, *_ in rows] == [
        "eager", "Paddle Inference (model.pdmodel)", "ONNX Runtime"]
    assert all(float(share) >= 99.9 for _, share, _, _ in rows)
    assert len({miou for *_, miou in rows}) == 1
    assert "4 images, each 2 times" in out and "all agree on 99.9%" in out


def test_predictions_of_every_kind_are_resumed(run, call, tmp_path):
    _, _, pictures = run
    shutil.copytree(pictures, tmp_path / "in/deep/er")
    (tmp_path / "twice.txt").write_text("in/deep/er/00000.png\n" * 2)
    status, out, _ = call("predict.py", "--image_path", tmp_path /
                          "twice.txt", "--save_dir", tmp_path / "o",
                          "--engine", "eager")
    assert status == 0 and "1 images predicted" in out
    (tmp_path / "in/broken.png").write_text("no picture")
    arguments = ("--image_path", tmp_path / "in/**/*.png", "--save_dir",
                 tmp_path / "out", "--engine", "eager", "--num_workers", 2,
                 "--batch_size", 2, "--outputs", "class_map", "overlay",
                 "confidence", "polygons", "--polygon_min_area", 0)
    status, out, err = call("predict.py", *arguments)
    assert status == 1, err
    assert re.search(r"could not be read: \S+/in/broken.png: the image", out)
    assert "4 images predicted" in out and "network busy" in out
    made = json.loads((tmp_path / "out/polygons.json").read_text())
    assert [i["file_name"] for i in made["images"]] == [
        f"deep/er/{k:05d}.png" for k in range(4)]
    areas = sum(row["area"] for row in made["annotations"])
    assert areas == 4 * 32 * 32
    (tmp_path / "out/overlay/deep/er/00002.jpg").unlink()
    status, out, _ = call("predict.py", *arguments, "--resume")
    assert status == 1 and "1 images predicted" in out
    assert "3 were done already" in out
    status, _, err = call("predict.py", *arguments, "--resume",
                          "--aug_pred", "--flip_horizontal", "--sum_softmax")
    assert status == 2 and err.count("\n") == 1
    assert "remove" in err and "test_config" in err


def test_a_video_from_the_command_line(run, call, tmp_path):
    _, _, pictures = run
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"),
                             cv2.VideoWriter_fourcc(*"MJPG"), 5, (32, 32))
    for file in sorted(pictures.glob("*.png")):
        writer.write(cv2.imread(str(file)))
    writer.release()
    status, out, err = call(
        "predict.py", "--image_path", tmp_path / "v.avi", "--save_dir",
        tmp_path / "out", "--engine", "eager", "--frames", 3)
    assert status == 0 and "3 images predicted" in out, err
    names = sorted(str(p.relative_to(tmp_path / "out"))
                   for p in (tmp_path / "out").rglob("*.*"))
    assert names == ["class_map/v/000000.png", "class_map/v/000001.png",
                     "class_map/v/000002.png", "color/v.mp4",
                     "overlay/v.mp4", "stage.yml"]


@pytest.mark.parametrize("script, arguments, message", [
    ("export.py", ["--input_shape", "1", "3", "32"], "--input_shape"),
    ("export.py", ["--opts", "test_config.is_slide=true",
                   "test_config.crop_size=[32,32]"],
     "--opts test_config.is_slide=false"),
    ("predict.py", ["--image_path", "nothing/*.png"], "0 images"),
    ("predict.py", ["--image_path", "LICENSE", "--batch_size", "0"],
     "--batch_size = 0"),
    ("predict.py", ["--image_path", "LICENSE", "--engine", "eager",
                    "--outputs", "confidence", "--aug_pred",
                    "--flip_horizontal"], "--sum_softmax")])
def test_mistakes_are_one_line(call, tmp_path, script, arguments, message):
    status, out, err = call(script, "--save_dir", tmp_path / "out",
                            *arguments)
    assert status == 2 and not (tmp_path / "out").exists(), out
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err


@pytest.fixture(scope="module")
def thousand(run, tmp_path_factory):
    """(folder of 1,000 pictures, options of a larger network)."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    for k in range(1000):
        path = folder / "in" / f"{k // 100}" / f"{k:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(
            rng.integers(0, 256, (9, 12, 3), np.uint8), (240, 180)))
    # A network that has some work with each of them.
    tree = yaml.safe_load(run[1].read_text())
    tree["model"]["backbone"]["channels"] = [64, 96, 128, 128, 128]
    (folder / "c.yml").write_text(yaml.safe_dump(tree))
    paddle.save(Builder(Config.load(folder / "c.yml")).make_model(
        ).state_dict(), str(folder / "model.pdparams"))
    return folder, ("--config", folder / "c.yml", "--model_path", folder,
                    "--image_path", folder / "in", "--engine", "eager",
                    "--num_workers", 2)


@pytest.mark.slow
def test_the_network_is_busy_over_1000_frames(thousand):
    folder, options = thousand
    status, out, err = tiny.run("predict.py", *options, "--save_dir",
                                folder / "busy")
    assert status == 0, err
    assert "1000 images predicted" in out
    share = float(re.search(r"network busy (\S+)% of", out)[1])
    assert share >= 90, out


@pytest.mark.slow
def test_a_killed_run_goes_on_and_does_no_frame_twice(thousand):
    folder, options = thousand
    out = folder / "killed"
    before = {}
    for enough in (100, 300):
        process = tiny.start("predict.py", *options, "--save_dir", out,
                             *(["--resume"] if before else []))
        tiny.wait_for(lambda n=enough: len(list(out.glob(
            "overlay/*/*.jpg"))) >= n)
        tiny.kill(process, signal.SIGKILL)
        now = {p: p.stat().st_mtime_ns for p in out.glob("*/*/*.*")}
        done = [p for p in out.glob("class_map/*/*.png") if all(
            (out / kind / p.parent.name / f"{p.stem}{suffix}") in now
            for kind, suffix in (("color", ".png"), ("overlay", ".jpg")))]
        assert all(now[p] == t for p, t in before.items())
        before = {p: now[p] for p in done}
    status, said, err = tiny.run("predict.py", *options, "--save_dir", out,
                                 "--resume")
    assert status == 0, err
    predicted = int(re.search(r"(\d+) images predicted", said)[1])
    assert f"{len(before)} were done already" in said
    assert predicted == 1000 - len(before)
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())
    assert len(list(out.glob("*/*/*.*"))) == 3000
    assert not list(out.rglob(".*"))  # nothing half written


def test_the_scripts_of_the_page(run, call, tmp_path, monkeypatch):
    """Those of docs/deploy.md, as they stand there."""
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    page = (tiny.ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    scripts = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(scripts) == 2
    resize = ("--opts", 'val_dataset.transforms=[{type: Resize, target_size: '
              '[320, 240], interp: AREA}, {type: Normalize}]')
    status, out, err = call("export.py", "--save_dir", tmp_path / "export",
                            "--onnx", *resize)
    assert status == 0, err
    picture = next(run[2].glob("*.png"))
    cv2.imwrite(str(tmp_path / "photo.jpg"), cv2.imread(str(picture)))
    monkeypatch.chdir(tmp_path)
    maps = []
    for script in scripts:
        found = {}
        exec(script, found)
        maps.append(found["classes"])
        assert maps[-1].shape == (240, 320)
        assert maps[-1].dtype == np.int32
    assert (maps[0] == maps[1]).mean() >= 0.999
    x = found["x"]
    network = Builder(Config.load(run[1])).make_model()
    network.set_state_dict(paddle.load(str(run[0] / "run/model.pdparams")))
    network.eval()
    eager = network(paddle.to_tensor(x))[0].numpy().argmax(axis=1)[0]
    assert (maps[0] == eager).mean() >= 0.999

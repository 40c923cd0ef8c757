# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs that go on with as many processes, with more and with fewer."""

import json
import shutil

import numpy as np
import pytest
import yaml
from safetensors import safe_open

from contrib_semiseg.engine import checkpoint
from tests.support import tiny
from tests.support.resumed import final_bytes

SCRIPT = "tests/support/train_frozen.py"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """(folder, config) of a run without draws, and its runs `one`, `two`.

    Its images and their changes are those of their places in the order, so
    that two processes with two images each show what one with four does.
    """
    folder = tmp_path_factory.mktemp("scene")
    path = tiny.config(folder, method={"type": "Supervised"}, batch_size=4,
                       save_interval=3, log_iters=1, iters=None, epochs=4)
    tree = yaml.safe_load(path.read_text())
    tree["model"]["dropout"] = [0, 0, 0]
    del tree["iters"], tree["unlabeled_dataset"]
    tree["lr_scheduler"]["reference_batch"] = 8  # of all processes together
    data = tree["train_dataset"]
    data["labeled"] = 9
    # Without padding, whose share differs from batch to batch.
    data["transforms"] = [op for op in data["transforms"] if op["type"] in
                          ("RandomMirror", "Normalize")]
    path.write_text(yaml.safe_dump(tree))
    train(folder, path, "one")
    train(folder, path, "two", "--batch_size", 2, processes=2)
    return folder, path


def train(folder, path, name, *options, processes=1):
    """Train in SAVE_DIR = folder / name; returns what the console shows."""
    command = (SCRIPT, "--config", path, "--save_dir", folder / name,
               *options)
    if processes == 2:
        (folder / f"of_{name}").mkdir()
        logs = tiny.launch(folder / f"of_{name}", *command)
        assert "[" not in logs[1].replace("[31m", ""), "process 1 is silent"
        return logs[0]
    status, out, err = tiny.run(*command)
    assert status == 0, err
    return out


def go_on(scene, old, name, *options, processes=1):
    """Go on with iteration 3 of a run, in a folder of its own."""
    folder, path = scene
    shutil.copytree(folder / old / "iter_3", folder / name / "iter_3")
    shutil.copy(folder / old / "config.yml", folder / name)
    return train(folder, path, name, "--resume_model", "auto", *options,
                 processes=processes)


def state(run):
    """(meta values, name -> array) of a run's last checkpoint."""
    file = checkpoint.checkpoints(run)[-1] / checkpoint.TRAINING
    with safe_open(str(file), "np") as f:
        return (json.loads(f.metadata()["training"]),
                {key: f.get_tensor(key) for key in f.keys()})


def assert_close(run, wanted):
    """Weights and momenta of two runs, within rounding."""
    (head, found), (_, wanted) = state(run), state(wanted)
    assert head["step"] == 8 and found.keys() == wanted.keys()
    assert any("velocity" in key for key in found)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-5,
                                   err_msg=key)


def test_two_processes_train_as_one(scene):
    folder, _ = scene
    assert_close(folder / "two", folder / "one")


def test_as_many_processes_go_on_bit_for_bit(scene):
    folder, _ = scene
    go_on(scene, "two", "two_two", "--batch_size", 2, processes=2)
    assert final_bytes(folder / "two_two") == final_bytes(folder / "two")


def test_one_process_goes_on_with_a_run_of_two(scene):
    folder, _ = scene
    out = go_on(scene, "two", "two_one")
    assert "2 x 2 and now 1 x 4; iterations and epochs are counted on\n" in out
    assert_close(folder / "two_one", folder / "one")


@pytest.mark.slow
def test_two_processes_go_on_with_a_run_of_one(scene):
    folder, _ = scene
    out = go_on(scene, "one", "one_two", "--batch_size", 2, processes=2)
    assert "1 x 4 and now 2 x 2;" in out
    assert_close(folder / "one_two", folder / "one")


@pytest.mark.slow
def test_fewer_images_do_not_make_the_run_longer(scene):
    folder, _ = scene
    out = go_on(scene, "two", "fewer", "--batch_size", 2)
    assert "--batch_size 4 would show as many as before" in out
    assert "epoch: 4/4, iter: 8/8" in out
    progress = state(folder / "fewer")[0]["progress"]
    assert (progress["epoch"], progress["step"], progress["place"]) == (
        2, 3, 6)

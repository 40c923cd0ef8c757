# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A run that was stopped goes on to the same weights, byte for byte."""

import signal

import pytest

from contrib_semiseg.engine import checkpoint
from tests.support import tiny
from tests.support.resumed import final_bytes


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Folder, config and final bytes of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("reference")
    config = tiny.config(folder)
    status, out, err = tiny.run("train.py", "--config", config, "--do_eval")
    assert status == 0, err
    return folder, config, final_bytes(folder / "run")


def resume(config, save_dir, *more):
    status, out, err = tiny.run("train.py", "--config", config, "--do_eval",
                                "--save_dir", save_dir, "--resume_model",
                                "auto", *more)
    assert status == 0, err
    return out


# The moments: before any checkpoint, while the first is written, between two.
MOMENTS = {
    "start": lambda run: (run / "config.yml").exists(),
    "writing": lambda run: list(run.glob(".iter_*.tmp/*")),
    "between": lambda run: (run / "iter_4" / checkpoint.TRAINING).exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_equals_uninterrupted(reference, tmp_path, moment):
    _, config, expected = reference
    run = tmp_path / "run"
    process = tiny.start("tests/support/train_slow_disk.py", "--config",
                         config, "--do_eval", "--save_dir", run)
    tiny.wait_for(lambda: MOMENTS[moment](run) or process.poll() is not None)
    status, _, _ = tiny.kill(process)
    assert status == -signal.SIGKILL, "the run ended before it was killed"
    assert moment != "writing" or list(run.glob(".iter_*.tmp"))
    assert all((p / checkpoint.MODEL).exists() and
               (p / checkpoint.TRAINING).exists()
               for p in run.glob("iter_*")), "a half-written checkpoint"
    resume(config, run)
    assert final_bytes(run) == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_writes_a_checkpoint_and_says_so(reference, tmp_path, number):
    _, config, expected = reference
    run = tmp_path / "run"
    process = tiny.start("train.py", "--config", config, "--do_eval",
                         "--save_dir", run)
    tiny.wait_for(lambda: (run / "config.yml").exists())
    while "[TRAIN] epoch" not in process.stdout.readline():
        assert process.poll() is None, process.stderr.read()
    status, out, err = tiny.kill(process, number)
    if status == 0:
        pytest.skip("the run was done before the signal arrived")
    assert status == 128 + number
    assert f"stopped by {signal.Signals(number).name} after iteration" in out
    assert "--resume_model auto" in out and "Traceback" not in err
    assert checkpoint.checkpoints(run)
    resume(config, run)
    assert final_bytes(run)[checkpoint.MODEL] == expected[checkpoint.MODEL]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(reference, tmp_path, workers):
    _, config, expected = reference
    status, _, err = tiny.run("train.py", "--config", config, "--num_workers",
                              workers, "--save_dir", tmp_path / "run",
                              "--save_interval", 8)
    assert status == 0, err
    assert final_bytes(tmp_path / "run")[checkpoint.MODEL] == \
        expected[checkpoint.MODEL]


def test_a_new_run_does_not_overwrite_an_old_one(reference):
    folder, config, _ = reference
    status, _, err = tiny.run("train.py", "--config", config)
    assert status == 2
    assert err.count("\n") == 1 and "--resume_model auto" in err


def test_a_checkpoint_of_another_network_is_one_line(reference, tmp_path):
    folder, config, _ = reference
    status, _, err = tiny.run(
        "train.py", "--config", config, "--save_dir", tmp_path / "run",
        "--resume_model", folder / "run" / "iter_8",
        "--opts", "model.decoder_channels=12")
    assert status == 2
    assert err.count("\n") == 1 and "last_conv" in err


def test_a_damaged_checkpoint_names_itself(reference, tmp_path):
    folder, config, _ = reference
    broken = tmp_path / "iter_8"
    broken.mkdir()
    whole = (folder / "run" / "iter_8" / checkpoint.TRAINING).read_bytes()
    (broken / checkpoint.TRAINING).write_bytes(whole[:1000])
    status, _, err = tiny.run(
        "train.py", "--config", config, "--save_dir", tmp_path / "run",
        "--resume_model", broken)
    assert status == 2
    assert err.count("\n") == 1 and str(broken) in err

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files are whole or not there, and say what does not fit."""

import contextlib
import errno
import os
import subprocess
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from contrib_semiseg.cvlibs import digests
from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.weights import load_state
from contrib_semiseg.engine import checkpoint
from contrib_semiseg.engine.optimizer import SGD
from tests.support.line import Line


def write(folder, step, keep=5):
    method = Line()
    return checkpoint.save(folder, step=step, method=method,
                           optimizer=SGD()(method, 0.1), keep=keep)


def test_oldest_go_first_by_number(tmp_path):
    for step in (2, 10, 9):
        write(tmp_path, step, keep=2)
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == ["iter_9",
                                                                  "iter_10"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    write(tmp_path, 1)

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device.*"
                       "--resume_model auto"):
        write(tmp_path, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["iter_1"]


def test_start_clears_what_a_killed_run_left(tmp_path):
    (tmp_path / ".iter_7.tmp").mkdir()
    checkpoint.start(tmp_path, "a: 1\n")
    assert [p.name for p in tmp_path.iterdir()] == ["config.yml"]


def test_auto_takes_the_newest_and_may_find_none(tmp_path):
    assert checkpoint.find("auto", tmp_path) is None
    assert checkpoint.find(None, tmp_path) is None
    write(tmp_path, 1)
    write(tmp_path, 2)
    assert checkpoint.find("auto", tmp_path).name == "iter_2"


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", [checkpoint.MODEL, checkpoint.TRAINING])
@pytest.mark.parametrize("change, told", [
    (truncate, "{} is truncated or damaged"),
    (flip, "{} is truncated or damaged"),
    (Path.unlink, "{} is missing")])
def test_a_damaged_newest_one_is_passed_over(tmp_path, capsys, name, change,
                                             told):
    write(tmp_path, 1)
    change(write(tmp_path, 2) / name)
    assert checkpoint.find("auto", tmp_path).name == "iter_1"
    line, = capsys.readouterr().out.splitlines()
    assert f"iter_2 is passed over: {told.format(name)}" in line
    if (tmp_path / "iter_2" / checkpoint.TRAINING).exists():
        with pytest.raises(CheckpointError, match=told.format(name)):
            checkpoint.find(str(tmp_path / "iter_2"), tmp_path)


@pytest.mark.parametrize("data", [b"", b"nonsense", "ä".encode()])
def test_damaged_digests_are_damage(tmp_path, capsys, data):
    write(tmp_path, 1)
    (write(tmp_path, 2) / digests.SUMS).write_bytes(data)
    assert checkpoint.find("auto", tmp_path).name == "iter_1"
    assert "SHA256SUMS is damaged" in capsys.readouterr().out


def test_an_unreadable_file_is_passed_over(tmp_path, capsys, monkeypatch):
    write(tmp_path, 1)
    write(tmp_path, 2)

    def fails(path):
        if "iter_2" in str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path)

    real = digests.digest_of
    monkeypatch.setattr(digests, "digest_of", fails)
    assert checkpoint.find("auto", tmp_path).name == "iter_1"
    assert "cannot be read (Input/output error)" in capsys.readouterr().out


def test_no_sound_one_is_an_error(tmp_path):
    for step in (1, 2):
        truncate(write(tmp_path, step) / checkpoint.MODEL)
    with pytest.raises(CheckpointError, match="none of its 2 checkpoints is "
                       "sound .iter_2: model.pdparams .*remove them"):
        checkpoint.find("auto", tmp_path)


def test_one_of_an_earlier_version_is_tried(tmp_path):
    write(tmp_path, 1)
    for step in (2, 3):
        (write(tmp_path, step) / digests.SUMS).unlink()
    assert checkpoint.find("auto", tmp_path).name == "iter_3"
    truncate(tmp_path / "iter_3" / checkpoint.TRAINING)
    assert checkpoint.find("auto", tmp_path).name == "iter_2"
    truncate(tmp_path / "iter_2" / checkpoint.MODEL)
    assert checkpoint.find("auto", tmp_path).name == "iter_1"


def test_a_damaged_one_is_written_anew(tmp_path):
    """And what is written stays, though the damaged one is newer."""
    for step in (1, 4):
        write(tmp_path, step)
    flip(tmp_path / "iter_4" / checkpoint.TRAINING)
    write(tmp_path, 2, keep=1)
    assert checkpoint.find("auto", tmp_path).name == "iter_2"
    sound = write(tmp_path, 4, keep=1)
    assert checkpoint.damage(sound) is None
    assert [p.name for p in tmp_path.iterdir()] == ["iter_4"]


def test_digests_are_those_of_sha256sum(tmp_path):
    folder = write(tmp_path, 1)
    done = subprocess.run(["sha256sum", "-c", digests.SUMS], cwd=folder,
                          capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [f"{checkpoint.MODEL}: OK",
                                        f"{checkpoint.TRAINING}: OK"]


@pytest.mark.parametrize("moment", range(4))
def test_a_kill_leaves_files_and_digests_that_agree(tmp_path, monkeypatch,
                                                    moment):
    """Where the best network replaces the one before."""
    def stop(source, target):
        if next(calls) == moment:
            raise KeyboardInterrupt
        real(source, target)

    path, method, calls = tmp_path / checkpoint.MODEL, Line(), count()
    checkpoint.save_network(method.net, path)
    method.net.weight.set_value(method.net.weight + 1)
    real = os.replace
    monkeypatch.setattr(os, "replace", stop)
    with contextlib.suppress(KeyboardInterrupt):
        checkpoint.save_network(method.net, path)
    value = load_state(path)["weight"].item()
    assert value == (1.0 if moment < 2 else 2.0)


def test_a_damaged_network_is_not_loaded(tmp_path):
    path = tmp_path / checkpoint.MODEL
    checkpoint.save_network(Line().net, path)
    flip(path)
    with pytest.raises(CheckpointError, match="model.pdparams is truncated "
                       "or damaged.*remove SHA256SUMS"):
        load_state(path)


def test_a_folder_without_a_checkpoint_is_explained(tmp_path):
    write(tmp_path, 2)
    with pytest.raises(CheckpointError, match="newest one inside is .*iter_2"):
        checkpoint.find(str(tmp_path), "output")
    with pytest.raises(CheckpointError, match="or auto"):
        checkpoint.find(str(tmp_path / "none"), "output")


ENTRIES = {"method/net.weight": np.ones((1, 1), "float32"),
           "optimizer/net.weight|velocity_0": np.ones((1, 1), "float32")}


@pytest.mark.parametrize("head, entries, said", [
    ('{"step": 1}', {}, None),
    ("[1]", {}, "is damaged"),
    ("[" * 10**5, {}, "is damaged"),
    ('{"step": "1"}', {}, "is damaged"),
    ('{"step": 1}', {"weight": np.ones(1)}, "not the entries"),
    ('{"step": 1}', {"optimizer/net.weight": np.ones(1)}, "not the entries"),
    ('{"step": 1}', {"other/a": np.ones(1)}, "not the entries"),
    ('{"step": 1}', {"method/net.weight": np.ones((2, 1), "float32")},
     "instead of"),
    ('{"step": 1}', {"optimizer/net.weight|velocity_0": np.ones((1, 2))},
     r"\[1, 2\] instead of \[1, 1\]"),
])
def test_entries_that_no_run_has_written(tmp_path, head, entries, said):
    (tmp_path / "training.safetensors").write_bytes(save(
        {**ENTRIES, **entries}, {"training": head}))
    method = Line()
    optimizer = SGD(momentum=0.9)(method, 0.1)
    if said is None:
        assert checkpoint.load(tmp_path, method=method,
                               optimizer=optimizer)["step"] == 1
        return
    with pytest.raises(CheckpointError, match=said):
        checkpoint.load(tmp_path, method=method, optimizer=optimizer)

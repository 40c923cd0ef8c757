# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files are whole or not there, and say what does not fit."""

import errno
import os

import numpy as np
import pytest
from safetensors.numpy import save

from contrib_semiseg.cvlibs.errors import CheckpointError
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

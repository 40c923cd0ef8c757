# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs that are left and gone on with."""

import shutil

from safetensors import safe_open

from contrib_semiseg.engine import checkpoint
from tests.support import tiny


def final_bytes(run):
    """The last network's file, and every tensor of the training state."""
    folder = checkpoint.checkpoints(run)[-1]
    assert folder.name == "iter_8"
    with safe_open(str(folder / checkpoint.TRAINING), "np") as f:
        state = {key: f.get_tensor(key).tobytes() for key in f.keys()}
    return {**state,
            checkpoint.MODEL: (folder / checkpoint.MODEL).read_bytes()}


def assert_same_end(path, run):
    """Go on with the checkpoint of step 3 of a run: the end is the same.

    Args:
        path (Path): its config.
        run (Path): its folder, with checkpoints of steps 3 and 8.
    """
    again = run.with_name("again")
    shutil.copytree(run / "iter_3", again / "iter_3")
    shutil.copy(run / "config.yml", again)
    status, out, err = tiny.run("train.py", "--config", path, "--save_dir",
                                again, "--resume_model", "auto")
    assert status == 0, err
    assert "iter: 4/8" in out and "iter: 2/8" not in out
    assert final_bytes(again) == final_bytes(run)

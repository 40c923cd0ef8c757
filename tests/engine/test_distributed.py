# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Two processes on one machine, over gloo."""

import pytest

from contrib_semiseg.engine import checkpoint, distributed
from tests.support import tiny


def test_one_process_needs_no_group():
    assert (distributed.world(), distributed.rank()) == (1, 0)
    distributed.fence()
    assert distributed.any_flag(3) == 3


def test_gradients_statistics_and_counters(tmp_path):
    logs = tiny.launch(tmp_path, "tests/support/two_processes.py")
    assert len(logs) == 2
    for log in logs:
        assert log.count("passed") == 4, log


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    config = tiny.config(folder, iters=3, save_interval=3, batch_size=2)
    status, _, err = tiny.run("train.py", "--config", config, "--iters", 1)
    assert status == 0, err  # writes the scenes before two processes read them
    logs = tiny.launch(folder, "train.py", "--config", config, "--do_eval",
                  "--save_dir", folder / "two")
    return folder, logs


def test_two_processes_train_evaluate_and_save(two):
    folder, logs = two
    assert [p.name for p in checkpoint.checkpoints(folder / "two")] == [
        "iter_3"]
    assert "mIoU" in logs[0] and "[TRAIN]" in logs[0]
    assert "[TRAIN]" not in logs[1], "only process 0 prints"



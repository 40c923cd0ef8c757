# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Real runs under real faults: a cause in one line, and nothing else lost.

The table of docs/reliability.md is printed by `python -m tests.support.faults`.
"""

import re

import pytest

from tests.support import faults
from tests.support.fork_server import Server

STOPPED = r"stopped by SIGTERM after iteration \d+; go on with the same " \
    "command and --resume_model auto"
# Another process' words, where that one is not the last to speak.
OTHER = r"error: (process \d: )?"
NO_SPACE = OTHER + "cannot write .*: No space left on device; free some space"
# Exit status and line of each; status None: what the launcher makes of it.
EXPECTED = {
    "stopped": (143, STOPPED),
    "killed": (-9, "no word"),
    "killed_worker": (2, r"error: a loader worker ended .*\(SIGKILL"),
    "full_disk": (2, NO_SPACE),
    "truncated_checkpoint": (-9, r"training\.safetensors is truncated"),
    "flipped_checkpoint": (-9, r"training\.safetensors is truncated or dam"),
    "flipped_network": (-9, r"model\.pdparams is truncated or damaged"),
    "missing_file": (-9, r"training\.safetensors is missing"),
    "deleted_image": (2, r"error: data/imgs/3\.png: the image is missing"),
    "truncated_image": (2, r"error: data/imgs/3\.png: .*truncated"),
    "vanished_data": (2, r"error: data/imgs/\d\.png: the image is missing"),
    "nan_input": (2, r"error: data/imgs/3\.png: .* that are not finite"),
    "nan_skipped": (-9, r"[1-9]\d* of 60 updates left out"),
    "rank_stopped": (143, STOPPED),
    "launcher_stopped": (15, STOPPED),
    "rank_killed": (None, "."),
    "ranks_killed": (None, "."),
    "full_disk_of_two": (2, NO_SPACE),
    "deleted_image_of_two": (2, OTHER + r"data/imgs/3\.png: the image is miss"),
    "nan_input_of_two": (2, OTHER + r"data/imgs/3\.png: .* not finite"),
}
QUICK = (faults.flipped_checkpoint, faults.deleted_image)


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def one(server, tmp_path_factory):
    return faults.Scene(tmp_path_factory.mktemp("one"), server)


@pytest.fixture(scope="module")
def two(server, tmp_path_factory):
    return faults.Scene(tmp_path_factory.mktemp("two"), server, two=True)


def check(scene, fault):
    name = fault.__name__
    try:
        row = fault(scene, scene.folder / name)
    except PermissionError as error:
        pytest.skip(f"no disk of a fixed size can be made: {error}")
    print(row)
    status, line = EXPECTED[name]
    assert row.status == status or (status is None and row.status), row
    assert re.search(line, row.happened), row
    # The work since the last checkpoint; where that is damaged, the one
    # before. The last iteration may have been done, and not yet said.
    steps = 8 if "passed over" in row.happened else 4
    assert -1 <= row.lost <= steps, row
    assert row.seconds < 20, row
    assert row.same, row


@pytest.mark.parametrize("fault", [
    pytest.param(f, id=f.__name__, marks=() if f in QUICK else
                 pytest.mark.slow) for f in faults.ONE])
def test_one_process(one, fault):
    check(one, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [pytest.param(f, id=f.__name__)
                                   for f in faults.TWO])
def test_two_processes(two, fault):
    check(two, fault)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Only what a dead run of ours left is removed."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from contrib_semiseg.datasets.shared_memory import Claim, sweep

HOLD = """
import os, sys, time
from pathlib import Path
from contrib_semiseg.datasets.shared_memory import Claim
folder = Path(sys.argv[1])
claim = Claim(folder)
worker = os.fork()
if not worker:
    time.sleep(60)
claim.name([worker])
print(worker, flush=True)
time.sleep(60)
"""


@pytest.fixture
def run(tmp_path):
    """A run with one worker: (process, pid of the worker)."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)],
                               stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    worker = int(process.stdout.readline())
    yield process, worker
    for pid in (process.pid, worker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_dead_run_is_cleared_away(tmp_path, run):
    process, worker = run
    mine, other = f"paddle_{worker}_7_8", f"paddle_{worker}1_7_8"
    for name in (mine, other):
        (tmp_path / name).write_bytes(b"batch")
    assert sweep(tmp_path) == [] and mine in names(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert sweep(tmp_path) == [], "its worker lives"
    kill(worker)
    assert sweep(tmp_path) == [mine]
    assert names(tmp_path) == [other]


def test_a_number_that_another_process_has_now(tmp_path):
    claim = Claim(tmp_path)
    claim.name([os.getpid()])
    os.close(claim._handle)  # as a kill does
    segment = tmp_path / f"paddle_{os.getpid()}_1_2"
    segment.write_bytes(b"batch")
    assert sweep(tmp_path) == [] and segment.exists()
    assert claim.path.exists(), "until that one has ended"


def test_a_worker_that_its_parent_has_not_taken_note_of(tmp_path):
    claim = Claim(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", ""])
    claim.name([process.pid])
    os.close(claim._handle)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    (tmp_path / f"paddle_{process.pid}_1_2").write_bytes(b"batch")
    assert sweep(tmp_path) == [f"paddle_{process.pid}_1_2"]
    assert names(tmp_path) == []
    process.wait()


def test_a_run_that_ends_takes_its_file_along(tmp_path):
    claim = Claim(tmp_path)
    assert len(names(tmp_path)) == 1
    claim.release()
    claim.release()
    assert names(tmp_path) == []


def test_no_folder_is_no_error(tmp_path):
    claim = Claim(tmp_path / "none")
    claim.name([1])
    claim.release()
    assert sweep(tmp_path / "none") == []

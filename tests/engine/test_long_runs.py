# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Fifty kills, and two thousand iterations."""

import contextlib
import random
import re
import signal
import time
from pathlib import Path

import pytest

from contrib_semiseg.datasets.shared_memory import FOLDER, sweep
from contrib_semiseg.engine import checkpoint
from tests.support import tiny
from tests.support.faults import arrays
from tests.support.fork_server import Server

KILLS, ITERS = 50, 60


def all_arrays(run):
    """The last checkpoint, and the best network."""
    return {**arrays(run / f"iter_{ITERS}"), "best": (
        run / "best_model" / checkpoint.MODEL).read_bytes()}


@pytest.mark.slow
def test_fifty_kills_change_nothing(tmp_path):
    """SIGKILL of all processes at random moments, each time taken up again.

    A run that gets to its end is compared, and another one begun.
    """
    config = tiny.config(tmp_path, iters=ITERS, save_interval=3, log_iters=1,
                         num_workers=1)
    rng = random.Random(0)
    before = set(FOLDER.iterdir())  # of others, whose numbers may come again
    kills, ends, at, writing, workers = 0, 0, [], 0, []
    with Server() as server:
        def start(run):
            return server.start(
                tmp_path / "log.txt", "train.py", "--config", config,
                "--do_eval", "--save_dir", run, "--resume_model", "auto")

        def finish(run):
            status, text = start(run).wait(200)
            assert status == 0, text
            return all_arrays(run)

        expected = finish(tmp_path / "undisturbed")
        while kills < KILLS:
            run = tmp_path / f"run_{ends}"
            command = start(run)
            time.sleep(rng.uniform(0.0, 2.5))
            with contextlib.suppress(FileNotFoundError):  # it has ended
                workers += command.workers()
            command.signal(signal.SIGKILL)
            status, text = command.wait()
            if status == 0:
                assert all_arrays(run) == expected
                ends += 1
                continue
            assert status == -signal.SIGKILL, text
            assert "is passed over" not in text, "a damaged checkpoint"
            kills += 1
            done = re.findall(rf"iter: (\d+)/{ITERS}", text)
            at.append(int(done[-1]) if done else "start")
            writing += bool(list(run.glob(".iter_*.tmp")))
        assert finish(tmp_path / f"run_{ends}") == expected
    print(f"\n{kills} kills over {ends + 1} runs; {writing} of them in the "
          f"middle of a checkpoint; after iterations {at}")
    sweep()
    assert len(workers) > KILLS / 3
    assert not [p for w in workers for p in FOLDER.glob(f"paddle_{w}_*")
                if p not in before]


def resident(pid):
    """Resident memory in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("method", [
    {"type": "CPSCutMix"},
    {"type": "CTT", "bank_rows": 2, "bank_quota": 1, "bank_thresh": -9.0}],
    ids=lambda m: m["type"])
def test_memory_is_flat(tmp_path, method):
    """No growth beyond 2 % over 2,000 iterations, workers included."""
    warm, last = 400, 2400
    config = tiny.config(tmp_path, iters=last + 100, save_interval=200,
                         log_iters=20, num_workers=1, method=method,
                         keep_checkpoint_max=1)
    samples = {}
    with Server() as server:
        command = server.start(tmp_path / "log.txt", "train.py", "--config",
                               config, "--do_eval", "--use_vdl")
        while command.status is None:
            done = re.findall(r"iter: (\d+)/", command.text)
            done = int(done[-1]) if done else 0
            if done >= last + 100:
                break
            if done >= warm:
                for i, pid in enumerate([command.pid, *command.workers()]):
                    samples.setdefault(i, []).append((done, resident(pid)))
            time.sleep(0.2)
        status, text = command.wait()
    assert status == 0, text
    assert len(samples) == 2
    for name, found in zip(("run", "worker"), samples.values()):
        before = max(mb for done, mb in found if done <= warm + 100)
        after = max(mb for done, mb in found if done >= last)
        course = [max(mb for done, mb in found if it <= done < it + 200)
                  for it in range(warm, last + 1, 500)]
        print(f"\n{name}: {before:.1f} MB after {warm} iterations, "
              f"{after:.1f} MB after {last}; on the way {course}")
        assert after < 1.02 * before

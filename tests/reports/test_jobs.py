# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Trainings side by side, of a script that stands for the real one."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from contrib_semiseg.reports import jobs
from tests.support import fake_runs, tiny

SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path
folder, kind = Path(sys.argv[1]), sys.argv[2]
with open(folder / "began", "a") as f:
    f.write(f"{time.time()} {os.environ['OMP_NUM_THREADS']}\\n")
if kind == "bad":
    print("error: no luck", flush=True)
    sys.exit(2)
if kind == "long":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (folder / "waits").touch()
    time.sleep(60)
time.sleep(0.4)
info = {"finished": kind != "short", "iterations": 2}
(folder / "evaluations.jsonl").write_text('{"iter": 2, "miou": 0.5}\\n')
(folder / "run.json").write_text(json.dumps(info))
(folder / "ended").write_text(str(time.time()))
"""


class Entry:
    """Stands for a `plan.Entry`."""

    def __init__(self, folder, kind="good"):
        self.folder, self.kind, self.label = folder, kind, folder.name

    def command(self):
        return [str(self.folder), self.kind]

    def write(self):
        (self.folder / "comparison.json").write_text("{}")


@pytest.fixture
def make(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)

    def made(count=1):
        lines, calls = [], []
        found = jobs.Jobs("script.py", tmp_path, count=count, threads=3,
                          say=lines.append, after=lambda: calls.append(1))
        found.lines, found.calls = lines, calls
        return found

    return made


def test_runs_and_repeats_nothing(tmp_path, make):
    entries = [Entry(tmp_path / name, kind) for name, kind in (
        ("a", "good"), ("b", "bad"), ("c", "short"))]
    first = make()
    assert first.run(entries) == 0
    assert first.failed == ["b", "c"] and first.calls == [1]
    assert any("a: mIoU 50.00 %" in line for line in first.lines)
    assert any("b: ended with status 2" in line and "error: no luck" in line
               for line in first.lines)
    assert (tmp_path / "a/began").read_text().split()[1] == "3"
    assert (tmp_path / "a/comparison.json").is_file()
    again = make()
    again.run(entries)
    assert any("a: is there, mIoU 50.00 %" in line for line in again.lines)
    counts = [len((tmp_path / n / "began").read_text().splitlines())
              for n in "abc"]
    assert counts == [1, 2, 2]


@pytest.mark.parametrize("count", [1, 2])
def test_side_by_side(tmp_path, make, count):
    make(count).run([Entry(tmp_path / name) for name in "abc"])
    began = [float((tmp_path / n / "began").read_text().split()[0])
             for n in "abc"]
    ended = [float((tmp_path / n / "ended").read_text()) for n in "abc"]
    assert (began[1] < ended[0]) == (count == 2)
    assert began[2] > min(ended[:count])


def test_a_signal_ends_trainings(tmp_path, make):
    def send():
        tiny.wait_for((tmp_path / "a/waits").exists)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=send)
    thread.start()
    before = signal.getsignal(signal.SIGTERM)
    found = make()
    assert found.run([Entry(tmp_path / "a", "long"),
                      Entry(tmp_path / "b")]) == signal.SIGTERM
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert found.failed == ["a"] and "status 143" in found.lines[-1]
    assert not (tmp_path / "b/began").exists()


def test_a_folder_in_use_is_waited_for(tmp_path, make):
    """Two comparisons share their work, and none trains twice."""
    (tmp_path / "a").mkdir()
    held = jobs.lock(tmp_path / "a")
    assert jobs.lock(tmp_path / "a") is None

    def release():
        tiny.wait_for((tmp_path / "b/ended").exists)
        (tmp_path / "a/evaluations.jsonl").write_text(
            '{"iter": 2, "miou": 0.25}\n')
        (tmp_path / "a/run.json").write_text(json.dumps({"finished": True}))
        held.close()

    thread = threading.Thread(target=release)
    thread.start()
    found = make()
    assert found.run([Entry(tmp_path / "a"), Entry(tmp_path / "b")]) == 0
    thread.join()
    assert sum("waited for" in line for line in found.lines) == 1
    assert not (tmp_path / "a/began").exists() and not found.failed
    assert "a: is there, mIoU 25.00 %" in found.lines[-1]


def test_a_killed_comparison_leaves_the_lock_to_its_training(tmp_path, make):
    found = make()
    found._start(Entry(tmp_path / "a", "long"), "[1/1]")
    (process, *_), = found.running
    tiny.wait_for((tmp_path / "a/waits").exists)
    assert jobs.lock(tmp_path / "a") is None
    process.kill()
    process.wait()
    assert tiny.wait_for(lambda: jobs.lock(tmp_path / "a"))


def test_last_line(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\nwhat \xff it said\n\n")
    assert jobs.last_line(path).startswith("what")
    path.write_bytes(b"")
    assert jobs.last_line(path) == "no word"
    assert not jobs.is_finished(tmp_path)
    fake_runs.run(tmp_path / "r")
    assert jobs.is_finished(Path(tmp_path / "r"))

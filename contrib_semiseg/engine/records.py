# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run keeps about itself, to be read without VisualDL.

    SAVE_DIR/scalars.jsonl      losses, rate, speed, memory: a row a log line
    SAVE_DIR/evaluations.jsonl  scores and confusion matrix of each evaluation
    SAVE_DIR/diagnosis.jsonl    quality of the pseudo-labels, where asked for
    SAVE_DIR/run.json           command, versions, seed, time, memory

Process 0 alone writes.
"""

import datetime
import errno
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import paddle

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.cvlibs.json_rows import (
    RUN,
    finite,
    parse_rows,
    read_json,
)
from contrib_semiseg.cvlibs.whole_file import explained, write_file
from contrib_semiseg.engine import distributed

_ROOT = Path(__file__).resolve().parents[2]


class Rows:
    """Rows of JSON in a file that grows, each with the key "iter".

    Args:
        path (str or Path): in the run's folder.
    """

    def __init__(self, path):
        self.path = Path(path)

    def resume(self, step):
        """Keep the rows up to a step: the later ones are about to be redone.
        """
        if distributed.rank() or not self.path.exists():
            return
        data = self.path.read_bytes()
        kept = "".join(_line(row) for row in parse_rows(data)
                       if row.get("iter", 0) <= step).encode()
        if kept != data:
            write_file(self.path, kept)

    def append(self, row):
        """Add a row, in one write."""
        if distributed.rank():
            return
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            data = _line(row).encode()
            with open(self.path, "ab", buffering=0) as file:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _line(row):
    return json.dumps(finite(row), allow_nan=False) + "\n"


def memory_mb():
    """Largest memory so far, MiB: of the GPU, else of this process."""
    if paddle.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated() / 2**20
    try:  # other than getrusage, it does not know the program before exec
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit():
    """Of the project's folder: its commit, None if it has none."""
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), "describe", "--always", "--dirty",
             "--abbrev=40", "--exclude=*"], capture_output=True, text=True,
            timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def surroundings():
    """Command, versions and machine of this process: a dict."""
    names = ("paddlepaddle", "paddlepaddle-gpu", "paddleseg", "numpy")
    return {
        "command": shlex.join(["python", *sys.argv]),
        "started": datetime.datetime.now().astimezone().isoformat(
            timespec="seconds"),
        "versions": {"python": platform.python_version(), **{
            name: found for name in names if (found := _version(name))}},
        "git_commit": _git_commit(),
        "device": paddle.get_device(),
        "machine": f"{platform.system()} {platform.machine()}, "
                   f"{os.cpu_count()} cores",
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "processes": distributed.world(),
    }


def _earlier(path):
    """What a file says of a run that goes on; {} if it is damaged."""
    try:
        return read_json(path)
    except DataError:
        return {}


class RunFile:
    """run.json: what a run is, and how far it has come.

    Each start of the command is a session. The time that a kill cut off is
    known up to the last checkpoint.

    Args:
        save_dir (str): the run's folder.
        facts (dict): values that JSON can hold, beside `surroundings`.
    """

    def __init__(self, save_dir, facts):
        self.path, self.facts = Path(save_dir) / RUN, facts

    def begin(self, start, total):
        """Open a session at an iteration, of `total`."""
        if distributed.rank():
            return
        old = _earlier(self.path) if start else {}
        here = surroundings()
        self.began = time.monotonic()
        self.session = {"command": here["command"], "started":
                        here["started"], "from": start}
        self.earlier = list(old.get("sessions") or [])
        self.peak = old.get("peak_memory_mb")
        self.content = {**here, **self.facts, "iterations": total}
        if self.earlier:
            self.content["started"] = old.get("started", here["started"])
        self.update(start)

    def update(self, step):
        """Say that iteration `step` is done, and its checkpoint written."""
        if distributed.rank():
            return
        seconds = time.monotonic() - self.began
        sessions = [*self.earlier, {**self.session, "to": step, "seconds":
                                    round(seconds, 3)}]
        peaks = [p for p in (self.peak, memory_mb()) if p]
        self.peak = max(peaks) if peaks else None
        write_file(self.path, json.dumps(finite({
            **self.content, "step": step, "finished":
            step >= self.content["iterations"], "seconds": round(sum(
                s.get("seconds") or 0 for s in sessions), 3),
            "peak_memory_mb": self.peak and round(self.peak, 1),
            "sessions": sessions}), indent=1).encode())


class StagesFile:
    """run.json of a run in stages, in the folder that holds theirs.

    Args:
        root (Path): that folder.
        facts (dict): values that JSON can hold, beside `surroundings`.
        stages (dict): name -> kind of each stage, in their order.
    """

    def __init__(self, root, facts, stages):
        self.path = Path(root) / RUN
        self.facts, self.kinds = facts, stages
        self.seconds = None

    def begin(self):
        """Write it, unless this process has."""
        if self.seconds is None:
            self.here = surroundings()
            old = _earlier(self.path)
            self.seconds = {
                name: stage.get("seconds") for name, stage in
                (old.get("stages") or {}).items() if name in self.kinds}
            self.here["started"] = old.get("started", self.here["started"])
        self._write()

    def done(self, name, seconds):
        """A stage is complete, after so many seconds more."""
        self.begin()
        self.seconds[name] = round(
            (self.seconds.get(name) or 0) + seconds, 3)
        self._write()

    def _write(self):
        stages = {name: {"kind": kind, "seconds": self.seconds.get(name)}
                  for name, kind in self.kinds.items()}
        write_file(self.path, json.dumps({
            **self.here, **self.facts, "stages": stages, "finished": all(
                s["seconds"] is not None for s in stages.values()),
        }, indent=1).encode())

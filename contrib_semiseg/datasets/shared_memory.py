# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Shared memory that a killed run left behind, told apart and removed.

Paddle's loader workers keep batches in /dev/shm/paddle_PID_*, which a SIGKILL
leaves there. A run therefore names its workers in a file beside them, locked
for as long as the run or one of its workers lives.
"""

import contextlib
import os
import secrets
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, whose loader keeps no such files
    fcntl = None

FOLDER = Path("/dev/shm")
_CLAIM = "contrib_semiseg_workers_"


class Claim:
    """The file of one loader; made before its workers, which inherit it."""

    def __init__(self, folder=None):
        self._handle = None
        self.path = (folder or FOLDER) / f"{_CLAIM}{secrets.token_hex(8)}"
        if fcntl is None:
            return
        with contextlib.suppress(OSError):  # no such folder, or it is full
            self._handle = os.open(self.path, os.O_CREAT | os.O_EXCL |
                                   os.O_RDWR, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)

    def name(self, pids):
        """Write down the workers' process ids."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.write(self._handle, "".join(f"{p}\n" for p in
                                               pids).encode())

    def release(self):
        """Remove the file, when the workers are gone."""
        if self._handle is not None:
            os.close(self._handle)
            self.path.unlink(missing_ok=True)
            self._handle = None


def sweep(folder=None):
    """Remove what runs of this user left that were killed.

    A run of which a process lives, in this container or in another one that
    shares the folder, keeps its lock and is let alone.

    Returns: list of the removed segments' names.
    """
    folder, removed = folder or FOLDER, []
    if fcntl is None:
        return removed
    for path in folder.glob(f"{_CLAIM}*"):
        with contextlib.suppress(OSError), _locked(path):
            pids = [p for p in path.read_text().split() if p.isdigit()]
            # A number may have gone to another process since: later, then.
            dead = [pid for pid in pids if not _lives(pid)]
            for pid in dead:
                removed += _remove(folder, pid, path.stat())
            if len(dead) == len(pids):
                path.unlink()
    return removed


def _lives(pid):
    """Whether a process runs; one that ended may still await its parent."""
    try:
        stat = Path("/proc", pid, "stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@contextlib.contextmanager
def _locked(path):
    """Hold the lock of a run that is gone; OSError if it is not."""
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _remove(folder, pid, claim):
    removed = []
    for segment in folder.glob(f"paddle_{pid}_*"):
        found = segment.lstat()
        if found.st_uid == os.getuid() == claim.st_uid:
            segment.unlink()
            removed.append(segment.name)
    return removed

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Trainings as processes of their own, one after the other or side by side.

Each holds a lock in its folder for as long as it lives, so that no second
one trains there, even where the one that started it was killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

from contrib_semiseg.reports.runs import Run

LOG, LOCK = "train.log", ".lock"
_LOOK_SECONDS = 0.2


def lock(folder):
    """An open file that holds the folder's lock; None if another one does.

    Children that inherit it hold the lock, too. Without locks (Windows) it
    is only an open file.
    """
    file = open(folder / LOCK, "ab")  # noqa: SIM115  the child inherits it
    try:
        import fcntl
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except OSError:
        file.close()
        return None
    return file


def last_line(path):
    """The last line of a log that says something."""
    lines = [line.strip() for line in path.read_text(
        encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no word"


class Jobs:
    """Runs entries until none is left; finished ones are not repeated.

    Args:
        script (str): the training's command line, train.py.
        cwd (Path): the project's folder, in which it runs.
        count (int): trainings at a time.
        threads (int): OMP_NUM_THREADS of each.
        say (callable): takes a line.
        after (callable): called without arguments after each run that ended
            well.

    Attributes:
        failed (list of str): labels of runs that did not end well.
    """

    def __init__(self, script, cwd, *, count, threads, say, after):
        self.script, self.cwd, self.count = script, cwd, count
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.say, self.after = say, after
        self.failed, self.running, self.told = [], [], []
        self.signal = 0

    def run(self, entries):
        """Train all of them.

        Returns: the number of the signal that ended this early, or 0. The
        trainings have then written checkpoints and ended.
        """
        handlers = {s: signal.signal(s, self._on_signal) for s in (
            signal.SIGINT, signal.SIGTERM)}
        waiting = [(entry, f"[{number}/{len(entries)}]")
                   for number, entry in enumerate(entries, 1)]
        try:
            while self.running or (waiting and not self.signal):
                for job in list(waiting):
                    if not self.signal and len(self.running) < self.count \
                            and self._start(*job):
                        waiting.remove(job)
                time.sleep(_LOOK_SECONDS)
                for job in [j for j in self.running
                            if j[0].poll() is not None]:
                    self.running.remove(job)
                    self._ended(*job)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return self.signal

    def _start(self, entry, place):
        """Begin a run, unless it is there; False while another one holds it.
        """
        entry.folder.mkdir(parents=True, exist_ok=True)
        held = lock(entry.folder)
        if held is None:
            if entry.label not in self.told:
                self.say(f"{place} {entry.label}: another process trains in "
                         f"{entry.folder}; it is waited for")
                self.told.append(entry.label)
            return False
        with held:
            if is_finished(entry.folder):
                self.say(f"{place} {entry.label}: is there, "
                         f"{reached(entry.folder)}")
                return True
            entry.write()
            with open(entry.folder / LOG, "ab") as log:
                process = subprocess.Popen(
                    [sys.executable, self.script, *entry.command()],
                    cwd=self.cwd, env=self.environment, stdout=log,
                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                    pass_fds=[held.fileno()] if os.name == "posix" else (),
                    # Ctrl-C reaches it once, through this process.
                    start_new_session=True)
        self.say(f"{place} {entry.label}: begins, see {entry.folder / LOG}")
        self.running.append((process, entry, place, time.monotonic()))
        return True

    def _ended(self, process, entry, place, began):
        seconds = time.monotonic() - began
        if process.returncode == 0 and is_finished(entry.folder):
            self.say(f"{place} {entry.label}: {reached(entry.folder)}, "
                     f"{seconds:.0f} s")
            self.after()
            return
        self.failed.append(entry.label)
        self.say(f"{place} {entry.label}: ended with status "
                 f"{process.returncode} after {seconds:.0f} s: "
                 f"{last_line(entry.folder / LOG)}")

    def _on_signal(self, number, frame):
        self.signal = number
        for process, *_ in self.running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)


def is_finished(folder):
    """Whether a folder holds a run that has come to its end."""
    return (folder / "run.json").is_file() and Run(folder).finished


def reached(folder):
    """The last mIoU of a run in words."""
    return f"mIoU {100 * Run(folder).last:.2f} %"

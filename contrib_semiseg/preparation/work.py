# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Many small jobs in several processes, with progress."""

import collections
import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

from contrib_semiseg.cvlibs.errors import UserError

_PR_SET_PDEATHSIG = 1
_AHEAD = 4  # jobs that wait for each worker, so that few hold their bytes


class Progress:
    """A bar on a terminal; elsewhere a plain line every few seconds.

    Args:
        what (str): what is being done, e.g. "masks".
        total (int, optional): jobs in all, if known.
        every (float): seconds between two lines.
    """

    def __init__(self, what, total=None, every=10.0):
        self.what, self.total, self.every = what, total, every
        self.done, self.began = 0, time.monotonic()
        self._said = self.began
        self.bar = tqdm(total=total, desc=what, unit="file", leave=False,
                        dynamic_ncols=True, disable=not sys.stderr.isatty())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.bar.close()
        if kind is None:
            self._say(time.monotonic())

    def add(self):
        self.done += 1
        self.bar.update()
        now = time.monotonic()
        if self.bar.disable and now - self._said >= self.every:
            self._said = now
            self._say(now)

    def _say(self, now):
        of = f" of {self.total}" if self.total else ""
        print(f"{self.what}: {self.done}{of} files, "
              f"{now - self.began:.0f} s", file=sys.stderr, flush=True)


def _init_worker():
    """Make a worker die with its parent and leave Ctrl-C to it."""
    gc.freeze()  # or a collection would copy all that the parent has loaded
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _in_processes(do, jobs, workers):
    context = multiprocessing.get_context(
        "fork" if "fork" in multiprocessing.get_all_start_methods() else None)
    pool = ProcessPoolExecutor(workers, mp_context=context,
                               initializer=_init_worker)
    waiting = collections.deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(do, *job))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise UserError("a worker process was killed, perhaps for lack of "
                        "memory; try again with a smaller --num_workers"
                        ) from None
    finally:
        # What waits is not begun when something goes wrong.
        pool.shutdown(cancel_futures=True)


def run(do, jobs, *, what, workers=0, total=None):
    """Do all jobs; the order of the results is that of the jobs.

    Args:
        do (callable): of a module, so that other processes find it.
        jobs (iterable of tuple): its arguments; asked for as they are
            needed, so that a generator may read large files.
        what (str): for the progress.
        workers (int): processes; 0: this one does it all.
        total (int, optional): how many jobs there are.

    Returns: list of what `do` returned.
    Raises: what `do` raises, of the first job that fails; UserError if a
        worker was killed.
    """
    results = _in_processes(do, jobs, workers) if workers else (
        do(*job) for job in jobs)
    found = []
    with Progress(what, total) as progress, contextlib.closing(results):
        for result in results:
            found.append(result)
            progress.add()
    return found


def default_workers():
    """Processes if the user names no number: the cores, 8 at most."""
    return min(8, len(os.sched_getaffinity(0)) if hasattr(
        os, "sched_getaffinity") else os.cpu_count() or 1)

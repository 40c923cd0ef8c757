# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Training batches: several streams, step by step, from one loader."""

import atexit
import contextlib
import ctypes
import os
import shutil
import signal
import threading
import time

import cv2
import numpy as np
import paddle

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.datasets.sampling import SOURCE, item_rng
from contrib_semiseg.datasets.shared_memory import Claim, sweep

_ERROR = "_error"
_PR_SET_PDEATHSIG = 1
_PLENTY = 4 << 30  # bytes of shared memory that need no closer look
_LOOK_SECONDS = 1.0  # between two looks at the workers
# What may have ended a worker, by its signal.
_CAUSES = {signal.SIGKILL: "most often the machine ran out of memory",
           signal.SIGBUS: "most often /dev/shm is full"}


class _Items(paddle.io.Dataset):
    """Items by ItemKey; a DataError becomes an item that carries its text."""

    def __init__(self, datasets, seed, views, finite):
        super().__init__()
        self.datasets, self.seed, self.views = datasets, seed, views
        self.finite = finite

    def __getitem__(self, key):
        rng = item_rng(self.seed, key.stream, key.epoch, key.position)
        try:
            item = self.datasets[key.stream].item(
                key.index, rng, masks=key.stream != SOURCE,
                views=self.views[key.stream])
            if self.finite:
                self._check(item, key)
        except UserError as error:
            item = {_ERROR: str(error)}
        except Exception as error:
            path = self.datasets[key.stream].image_path(key.index)
            item = {_ERROR: f"{path}: {type(error).__name__}: {error}"}
        return key.stream, item

    def _check(self, item, key):
        for name, value in item.items():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                path = self.datasets[key.stream].image_path(key.index)
                raise DataError(
                    f"{path}: the transforms of the {key.stream} stream turn "
                    f"it into values of '{name}' that are not finite")

    def __len__(self):
        return sum(len(d) for d in self.datasets.values())


def _error_batch(text):
    return {_ERROR: np.frombuffer(text.encode(), np.uint8)}


def collate(items):
    """Stack (stream, item) pairs into {stream: {key: array [B, ...]}}.

    Each item is copied once, straight into its batch. A failed item turns
    the whole batch into its error: {_ERROR: text as bytes, uint8}, as Paddle
    takes a batch without arrays for the end of the data.
    """
    streams = {}
    for stream, item in items:
        if _ERROR in item:
            return _error_batch(item[_ERROR])
        streams.setdefault(stream, []).append(item)
    batch = {}
    for stream, rows in streams.items():
        batch[stream] = {}
        for key, first in rows[0].items():
            shapes = {row[key].shape for row in rows}
            if len(shapes) > 1:
                return _error_batch(
                    f"the {stream} batch holds '{key}' of different sizes "
                    f"({', '.join(str(s) for s in sorted(shapes))}); let the "
                    "transforms end in one size (RandomCrop and CenterPad, or "
                    "RandomPaddingCrop)")
            out = np.empty((len(rows), *first.shape), first.dtype)
            for i, row in enumerate(rows):
                out[i] = row[key]
            batch[stream][key] = out
    return batch


class _StepKeys:
    """A batch sampler: the keys of all streams, one list a step."""

    def __init__(self, streams, start, stop):
        self.streams, self.start, self.stop = streams, start, stop

    def __iter__(self):
        for step in range(self.start, self.stop):
            yield [k for s in self.streams.values() for k in s.keys(step)]

    def __len__(self):
        return self.stop - self.start


def _init_worker(_):
    """Make a worker die with its parent, and cv2 keep to one thread."""
    if os.name == "posix" and hasattr(os, "uname") and \
            os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # These are the parent's to answer, also where a launcher or a scheduler
    # sends them to all processes; it then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)


def _lost(workers):
    """One line about the workers that ended by themselves."""
    codes = [w.exitcode for w in workers if w.exitcode not in (None, 0)]
    reason = ""
    if codes and codes[0] > 0:
        reason = f" (status {codes[0]})"
    elif codes:
        number = signal.Signals(-codes[0])
        cause = f", {_CAUSES[number]}" if number in _CAUSES else ""
        reason = f" ({number.name}{cause})"
    return (f"a loader worker ended unexpectedly{reason}; try a smaller "
            "--num_workers, or 0")


class _Workers:
    """Paddle's iterator over batches, watched and ended for certain.

    Paddle looks for lost workers when no batch comes for 5 s, and never when
    one dies in the middle of sending; a thread looks at them instead.
    """

    def __init__(self, iterator, claim):
        self.iterator, self.claim = iterator, claim
        self.ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()
        atexit.register(self.close)

    def _watch(self):
        while not self.ended.wait(_LOOK_SECONDS):
            if any(w.exitcode not in (None, 0)
                   for w in self.iterator._workers):
                # Ends the wait of the main thread, with an error.
                self.iterator._exit_thread_unexpectedly()
                return

    def __next__(self):
        try:
            return next(self.iterator)
        # Paddle reports a lost worker in any of these, without cause.
        except (SystemError, RuntimeError, ValueError,
                StopIteration) as error:
            raise UserError(_lost(self.iterator._workers)) from error

    def close(self):
        """End the workers, also those that do not answer."""
        if self.ended.is_set():
            return
        self.ended.set()
        atexit.unregister(self.close)
        self.iterator._try_shutdown_all(1)
        for worker in self.iterator._workers:
            with contextlib.suppress(ValueError):  # it is closed
                worker.kill()
        self.claim.release()


class TrainLoader:
    """Iterate over training steps; every batch is a function of its step.

    Yields {stream: {key: Tensor [B, ...]}}, the same bit for bit whatever
    `num_workers` is. The streams end only at `total_steps`.

    Args:
        datasets (dict): stream name -> SegDataset.
        streams (dict): stream name -> Stream, the same names.
        seed (int): seed of the run, for the items' random numbers.
        start_step, total_steps (int): the first step, and one past the last.
        num_workers (int): processes that prepare batches; 0: this one.
        requires (sequence of str, optional): batch keys as a method names
            them; views that it does not name are not made. None: all are.
        finite (bool): refuse items with NaN or infinite values.

    Attributes:
        wait_seconds (float): time spent waiting for batches so far.
    Raises: DataError while iterating, naming the file that is wrong;
        UserError, if a worker died.
    """

    def __init__(self, *, datasets, streams, seed, start_step, total_steps,
                 num_workers, requires=None, finite=True):
        pairs = [key.split(".", 1) for key in requires or ()]
        views = {name: None if requires is None else
                 [key for stream, key in pairs if stream == name]
                 for name in streams}
        self.items = _Items({k: datasets[k] for k in streams}, seed, views,
                            finite)
        self.keys = _StepKeys(dict(streams), start_step, total_steps)
        self.num_workers = num_workers
        self.wait_seconds = 0.0

    def __len__(self):
        return len(self.keys)

    def __iter__(self):
        batches = self._from_workers() if self.num_workers else self._here()
        while True:
            before = time.perf_counter()
            batch = next(batches, None)
            self.wait_seconds += time.perf_counter() - before
            if batch is None:
                return
            if _ERROR in batch:
                batches.close()
                text = np.asarray(batch[_ERROR]).tobytes().decode()
                raise DataError(text)
            yield batch

    def _here(self):
        for keys in self.keys:
            batch = collate([self.items[key] for key in keys])
            yield batch if _ERROR in batch else {
                stream: {k: paddle.to_tensor(v) for k, v in arrays.items()}
                for stream, arrays in batch.items()}

    def _from_workers(self):
        workers = self._start_workers()
        try:
            for _ in range(len(self.keys)):
                yield next(workers)
        finally:
            workers.close()

    def _fits_shared_memory(self):
        """Whether /dev/shm has room for the batches under way."""
        try:
            free = shutil.disk_usage("/dev/shm").free
        except OSError:
            return False
        if free >= _PLENTY:
            return True
        sample = collate([self.items[k] for k in next(iter(self.keys), ())])
        if _ERROR in sample:  # will be raised when it is its turn
            return False
        size = sum(v.nbytes for d in sample.values() for v in d.values())
        # Each worker holds up to two batches, and the queue as many again.
        return free > size * (4 * self.num_workers + 2)

    def _start_workers(self):
        loader = paddle.io.DataLoader(
            self.items, batch_sampler=self.keys, collate_fn=collate,
            num_workers=self.num_workers, worker_init_fn=_init_worker,
            use_shared_memory=self._fits_shared_memory())
        # Starting draws from the global generator, and sets a SIGCHLD
        # handler that would raise in the middle of a training step.
        state = np.random.get_state()
        main = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGCHLD) if main else None
        sweep()
        claim = Claim()
        iterator = iter(loader)
        claim.name([w.pid for w in iterator._workers])
        np.random.set_state(state)
        if main:
            signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)
        return _Workers(iterator, claim)

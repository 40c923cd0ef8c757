# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Processes that open items and close them, while this one computes.

An item is opened and closed by one process, so that what it keeps of it
(the picture, say) is never sent. Items of one stream all go to one process,
in their order. Arrays pass through shared memory.
"""

import collections
import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from multiprocessing.connection import wait

import cv2

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.engine.scratch import Scratch

_PR_SET_PDEATHSIG = 1
OPENED, ENDED, CLOSED, BROKEN, FAILED = range(5)


class Ended(Exception):
    """A stream has no such item any more."""


class Job:
    """What is done with an item; each process has a copy of its own."""

    def open(self, item):
        """First part: (array, more to tell, anything kept for `close`).

        Raises: DataError: the item is broken; Ended.
        """
        raise NotImplementedError

    def close(self, item, kept, array):
        """Last part, with the array that was computed."""
        raise NotImplementedError

    def end(self, stream):
        """After the last item of a stream was closed; what is wrong with it,
        in words, or None.
        """


class _Server:
    """The side that works; in a process, or in this one."""

    def __init__(self, job, slots):
        self.job, self.slots = job, slots
        self._kept = {}

    def answer(self, what, slot, *rest):
        """Do what is asked; returns (kind, slot, details)."""
        try:
            if what == "end":
                return CLOSED, slot, (self.job.end(*rest),)
            if what == "open":
                item, = rest
                array, more, kept = self.job.open(item)
                self._kept[slot] = item, kept
                self.slots[slot].put(array)
                return OPENED, slot, (array.shape, array.dtype.str, more)
            item, kept = self._kept.pop(slot)
            self.job.close(item, kept, self.slots[slot].view(*rest))
            return CLOSED, slot, ()
        except Ended:
            return ENDED, slot, ()
        except (UserError, OSError) as error:
            broken = what == "open" and isinstance(error, DataError)
            return (BROKEN if broken else FAILED), slot, (error,)
        # Whatever else is a bug; its traceback is all that can be sent.
        except Exception:
            return FAILED, slot, (RuntimeError(traceback.format_exc()),)


def _serve(job, slots, pipe, others):
    """Body of a process: answer until the pipe is closed."""
    if sys.platform == "linux":  # it dies with the one that started it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Woken by a message it does not take the sender's processor away.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for other in others:
        other.close()
    # These are the first process's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)
    server = _Server(job, slots)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(server.answer(*pipe.recv()))


class _Here:
    """A worker that is this process."""

    def __init__(self, job, slots):
        self.slots, self._server = slots, _Server(job, slots)
        self.answers = collections.deque()

    def send(self, message):
        self.answers.append(self._server.answer(*message))


class _There:
    """A worker of its own process."""

    def __init__(self, job, slots, others):
        self.slots = slots
        self.pipe, far = multiprocessing.Pipe()
        self.send = self.pipe.send
        context = multiprocessing.get_context("fork")
        self.process = context.Process(
            target=_serve, args=(job, slots, far, [*others, self.pipe]),
            daemon=True)
        self.process.start()
        far.close()


class Pool:
    """Workers, each with room for some items at a time.

    Args:
        job (Job): what they do.
        workers (int): processes; 0, or a system without forks: this one.
        room (int): items that a worker has at hand.
    """

    def __init__(self, job, workers, room):
        if "fork" not in multiprocessing.get_all_start_methods():
            workers = 0
        self.workers = []
        for _ in range(max(1, workers)):
            slots = [Scratch() for _ in range(room)]
            others = [w.pipe for w in self.workers] if workers else []
            self.workers.append(_There(job, slots, others) if workers else
                                _Here(job, slots))
        self.free = [list(range(room)) for _ in self.workers]
        self.opening = self.closing = 0

    def place(self, stream=None):
        """A worker for the next item, or None while there is no room.

        Args:
            stream (int, optional): of the item.
        """
        if stream is not None:
            best = stream % len(self.workers)
        else:
            best = max(range(len(self.workers)),
                       key=lambda n: len(self.free[n]))
        return best if self.free[best] else None

    def open(self, worker, item):
        """Have an item opened by a worker that has room."""
        slot = self.free[worker].pop()
        self._send(worker, ("open", slot, item))
        self.opening += 1
        return slot

    def close(self, worker, slot, array):
        """Have the item of a slot closed."""
        self.workers[worker].slots[slot].put(array)
        self._send(worker, ("close", slot, array.shape, array.dtype.str))
        self.closing += 1

    def end(self, stream):
        """Tell the worker of a stream that it has come to its end."""
        self._send(stream % len(self.workers), ("end", None, stream))
        self.closing += 1

    def _send(self, worker, message):
        try:
            self.workers[worker].send(message)
        except BrokenPipeError:
            raise self._lost(self.workers[worker]) from None

    def answers(self, block):
        """Yield (kind, worker, slot, details) of what was done.

        Args:
            block (bool): wait until there is something.
        Raises: UserError, if a worker was killed, and what one failed with.
        """
        for number, answer in self._received(block):
            kind, slot, details = answer
            if kind == CLOSED:
                self.closing -= 1
            elif kind != FAILED:
                self.opening -= 1
            if slot is not None and kind != OPENED:
                self.free[number].append(slot)
            if kind == FAILED:
                raise details[0]
            if kind == OPENED:
                *array, more = details
                details = (self.workers[number].slots[slot].view(*array),
                           more)
            yield kind, number, slot, details

    def _received(self, block):
        if isinstance(self.workers[0], _Here):
            while self.workers[0].answers:
                yield 0, self.workers[0].answers.popleft()
            return
        pipes = {worker.pipe: n for n, worker in enumerate(self.workers)}
        for pipe in wait(list(pipes), None if block else 0):
            worker = self.workers[pipes[pipe]]
            try:
                answer = pipe.recv()
            except (EOFError, ConnectionResetError):
                raise self._lost(worker) from None
            yield pipes[pipe], answer

    @staticmethod
    def _lost(worker):
        worker.process.join(1)
        return UserError(
            f"a worker process ended unexpectedly (status "
            f"{worker.process.exitcode}; -9: most often the machine ran out "
            "of memory); try a smaller --num_workers, or 0")

    def shut(self):
        """End the workers, whatever they do, and give the memory back."""
        for worker in self.workers:
            if isinstance(worker, _There):
                worker.process.kill()
                worker.process.join()
                worker.pipe.close()
            for scratch in worker.slots:
                scratch.close()

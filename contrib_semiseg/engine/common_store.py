# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What processes tell each other beside their collectives, by Paddle's store.

A collective on gloo gives up after 30 s and, when a process is gone, says
only that; the store, which process 0 keeps, answers at any time.
"""

import contextlib
import threading
import time

import paddle
from paddle import distributed as dist

from contrib_semiseg.cvlibs.errors import UserError

BEAT_SECONDS = 5.0  # between two signs of life
SILENT_SECONDS = 45.0  # without one, a process is lost
_LISTEN_SECONDS = 0.5  # between two looks for an error of another process
_LINGER_SECONDS = 5.0  # of process 0, for the others to take note of one
_PAUSE = 0.1
_PREFIX = "contrib_semiseg/"  # of our keys
_GONE = (RuntimeError, OSError, ValueError)  # what the store's end raises
_talking = threading.Lock()  # the store takes one question at a time


def _store():
    return paddle.base.core.create_or_get_global_tcp_store()


def count(key, more=0):
    """Add to a number of all processes; returns it. Never blocks."""
    with _talking:
        return _store().add(_PREFIX + key, more)


class LostProcess(UserError):
    """Another process ended; the message is its own, if it left one.

    Args:
        words (str): the message.
        status (int): exit status of that process; 1, of a bug or a kill, is
            not the user's to mend, and the run may go on.
    """

    def __init__(self, words, status=1):
        super().__init__(words)
        self.status = status


def heard():
    """The error that a process told, as LostProcess, or None."""
    if not count("told"):
        return None
    with _talking:
        words = _store().get(f"{_PREFIX}words").decode()
    status, words = words.split(" ", 1)
    return LostProcess(words, int(status))


class Listener:
    """A thread that tells that this process lives, and hears of errors.

    On its own machine the launcher sees a process that is killed; the ones
    that wait for it on other machines see that it has gone silent. An error
    has to be heard at once: process 0 takes the store with it, and the
    collectives of the others end only after that.

    Attributes:
        error (LostProcess): what a process told, or None.
    """

    def __init__(self):
        self.error = None
        self._ended = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _beat(self):
        self._last = time.monotonic()
        count(f"alive/{dist.get_rank()}", 1)

    def _run(self):
        # Without a store the main thread meets the error, too.
        with contextlib.suppress(*_GONE):
            while not self._ended.wait(min(_LISTEN_SECONDS, BEAT_SECONDS)):
                if time.monotonic() > self._last + BEAT_SECONDS:
                    self._beat()
                if self.error is None:
                    self._note(heard())

    def tell(self, words, status):
        """Leave an error for the other processes; the first one counts."""
        self._ended.set()
        self._thread.join(BEAT_SECONDS)
        with contextlib.suppress(*_GONE):
            if count("telling", 1) == 1:
                with _talking:
                    _store().set(f"{_PREFIX}words", f"{status} process "
                                 f"{dist.get_rank()}: {words}")
                count("told", 1)
            self._note(LostProcess(words, status))

    def _note(self, error):
        if self.error is None and error is not None:
            self.error = error
            count("noted", 1)

    def last_words(self):
        """LostProcess of the process that cannot be reached."""
        end = time.monotonic() + 2 * _LISTEN_SECONDS
        while self.error is None and time.monotonic() < end:
            time.sleep(_PAUSE)
        return self.error or LostProcess(
            "another process ended; its workerlog.N, in the launcher's "
            "log_dir, says why, unless it was killed or ran out of memory; "
            "go on with --resume_model auto")

    def close(self):
        """End the thread, and let process 0 be the last to leave an error.

        It takes the store along, from which the others have the words.
        """
        self._ended.set()
        self._thread.join(BEAT_SECONDS)
        end = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(*_GONE):
            if self.error is None:
                self._note(heard())
            while self.error and not dist.get_rank() and \
                    count("noted") < dist.get_world_size() and \
                    time.monotonic() < end:
                time.sleep(_PAUSE)


class Watch:
    """Looks, while this process waits, for others that have gone silent."""

    def __init__(self):
        now = time.monotonic()
        self._seen = {rank: (0, now) for rank in range(dist.get_world_size())
                      if rank != dist.get_rank()}
        self._next = now + BEAT_SECONDS

    def look(self):
        """Look now and then. Raises: LostProcess naming a silent one."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + BEAT_SECONDS
        for rank, (before, since) in self._seen.items():
            beats = count(f"alive/{rank}")
            if beats != before:
                self._seen[rank] = (beats, now)
            elif beats and now - since > SILENT_SECONDS:
                raise LostProcess(
                    f"process {rank} has given no sign of life for "
                    f"{SILENT_SECONDS:.0f} s: it, or its machine, was "
                    "stopped; go on with --resume_model auto")

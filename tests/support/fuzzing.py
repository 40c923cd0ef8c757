# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Properties of readers: whatever the input, a value or one clean error."""

import contextlib
import faulthandler
import re
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contrib_semiseg.cvlibs.errors import UserError

_BROKEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGER = 20  # times as many examples with -m slow
_SECONDS = 20  # of computing in one example; all take milliseconds
_WAIT = 4  # times as long may it wait for others' computing


class Late(BaseException):
    """Too slow. No Exception, which a reader may take for a broken file."""


@contextlib.contextmanager
def in_time(seconds=_SECONDS):
    """Fail, if a with block computes longer, or waits for ever.

    End the process, if the block cannot be left.

    Python's handler of a signal waits while a hash or a text is made.
    """

    def late(*_):
        raise Late(f"more than {seconds} s")

    before = [(kind, signal.signal(kind, late))
              for kind in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(_WAIT * seconds)
    faulthandler.dump_traceback_later(2 * _WAIT * seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for kind, handler in before:
            signal.signal(kind, handler)


def outcome(read, *named):
    """What `read` returns, or None after an error that a user can read.

    Args:
        read (callable): without arguments.
        named (str): the error holds one of them: the file or the key.
    """
    with in_time():
        try:
            return read()
        except UserError as error:
            text = str(error)
    assert text and not _BROKEN.search(text) and len(text) <= 4000, repr(text)
    assert any(str(name) in text for name in named), (named, text)
    return None


def properties(examples, **strategies):
    """Decorator: a function of drawn values becomes a test of `examples`.

    Examples are the same in each run. The pair that it returns is the test
    and one of more examples that is slow.
    """

    def make(check):
        found = [settings(
            max_examples=count, derandomize=True, database=None,
            deadline=None, suppress_health_check=list(HealthCheck))(
                given(**strategies)(check))
            for count in (examples, _LONGER * examples)]
        return found[0], pytest.mark.slow(found[1])

    return make


@st.composite
def damaged(draw, originals):
    """Bytes of one of `originals`, altered in up to four places."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(("flip", "cut", "insert", "copy",
                                     "number")))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at:at + draw(st.sampled_from((1, 4, 1 << 30)))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "copy":
            start = draw(st.integers(0, len(data)))
            data[at:at] = data[start:start + draw(st.integers(1, 64))]
        elif kind == "number":
            size = draw(st.sampled_from((1, 2, 4, 8)))
            number = draw(st.sampled_from((0, 1, -1, 127, 128)))
            order = draw(st.sampled_from(("little", "big")))
            data[at:at + size] = number.to_bytes(size + 1, "big",
                                                 signed=True)[1:] \
                if order == "big" else number.to_bytes(
                    size + 1, "little", signed=True)[:size]
    return bytes(data)

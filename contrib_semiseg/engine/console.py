# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run prints: plain lines, and on a terminal a bar below them."""

import sys
import time

from tqdm import tqdm

from contrib_semiseg.cvlibs import cli
from contrib_semiseg.engine import distributed


def say(message):
    """Print one line with the time, from process 0 only.

    A run whose output nobody takes any more (`| tee log`, ended by the same
    signal) goes on without it.
    """
    if distributed.rank() == 0:
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        try:
            tqdm.write(f"{now} {message}", file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            cli.silence()


def bar(total, initial=0, title=None):
    """A progress bar with ETA; silent where stderr is no terminal."""
    shown = distributed.rank() == 0 and sys.stderr.isatty()
    return tqdm(total=total, initial=initial, desc=title, disable=not shown,
                dynamic_ncols=True, leave=False)


def clock(seconds):
    """Seconds as h:mm:ss."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

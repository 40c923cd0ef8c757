# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of files that the project makes or downloads for itself."""

import contextlib
import contextvars
import os
from pathlib import Path

_CHOSEN = contextvars.ContextVar("chosen cache folder", default=None)


def home():
    """The project's folder for generated and downloaded files.

    The one chosen with `within`, else the environment variable SEMISEG_HOME,
    else ~/.cache/contrib_semiseg.
    """
    folder = _CHOSEN.get() or os.environ.get("SEMISEG_HOME")
    return Path(folder).expanduser() if folder else \
        Path.home() / ".cache" / "contrib_semiseg"


@contextlib.contextmanager
def within(folder):
    """Choose the folder of `home` for a with block; None chooses none."""
    token = _CHOSEN.set(folder)
    try:
        yield
    finally:
        _CHOSEN.reset(token)

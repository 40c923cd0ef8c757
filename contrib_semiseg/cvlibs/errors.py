# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Errors that are the user's to mend: one line, exit status 2."""

import difflib
import re

_LONGEST = 4000  # characters of a message
# Control characters, and bytes of a file's name that are no text.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def one_line(text, longest=_LONGEST):
    """`text` without line breaks and control characters, shortened."""
    text = _UNSHOWN.sub("?", " ".join(str(text).split()))
    return text if len(text) <= longest else text[:longest - 3] + "..."


class UserError(Exception):
    """Base of all errors that a command line prints as one line.

    A message may quote what stands in a file: see `one_line`.

    Attributes:
        status (int): the exit status that goes with it.
    """

    status = 2

    def __init__(self, message=""):
        super().__init__(one_line(message))


class ConfigError(UserError):
    """A wrong key, value, type or file in a configuration."""


class DataError(UserError):
    """A wrong image, mask or list; the message names its path."""


class CheckpointError(UserError):
    """A checkpoint that cannot be read, written or does not fit."""


class DownloadError(UserError):
    """A file that cannot be fetched, or is not the one expected."""


class ArgumentError(UserError, ValueError):
    """A constructor argument outside its allowed values.

    The builder turns it into a ConfigError that names file and key.

    Args:
        name (str): the argument.
        value: what it was given.
        allowed (str): the allowed values, in words.
    """

    def __init__(self, name, value, allowed):
        super().__init__(f"{name} = {value!r} is not allowed; "
                         f"allowed: {allowed}")
        self.name, self.value, self.allowed = name, value, allowed

    def __reduce__(self):  # on its way from a worker process
        return type(self), (self.name, self.value, self.allowed)


def nearest(name, allowed):
    """Return "; did you mean 'x'?" for the closest of `allowed`, or ""."""
    names = {str(a).lower(): str(a) for a in allowed}
    close = difflib.get_close_matches(str(name).lower(), names, n=1,
                                      cutoff=0.5)
    return f"; did you mean '{names[close[0]]}'?" if close else ""

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""SHA256SUMS: the digests of a folder's files, as `sha256sum` writes them.

A user checks a folder with `sha256sum -c SHA256SUMS`.
"""

import hashlib
import re
from pathlib import Path

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
_CHUNK = 1 << 20


def sums_text(digests):
    """The text of the file.

    Args:
        digests (iterable): (name, digest) pairs; a name may come twice, then
            either digest is right.
    """
    return "".join(f"{digest}  {name}\n" for name, digest in digests)


def read_sums(folder):
    """The (name, digest) pairs of a folder; None without SHA256SUMS.

    Raises: ValueError for a file of anything else.
    """
    path = Path(folder) / SUMS
    if not path.is_file():
        return None
    if path.stat().st_size > _CHUNK:
        raise ValueError(f"{SUMS} is damaged")
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except ValueError as error:
        raise ValueError(f"{SUMS} is damaged") from error
    found = [_LINE.fullmatch(line) for line in lines]
    if not found or None in found:
        raise ValueError(f"{SUMS} is damaged")
    return [(match[2], match[1]) for match in found]


def digest_of(path):
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def damage(path):
    """What is wrong with the bytes of a file: a text, or None.

    None too where no SHA256SUMS stands beside it or names it.
    """
    path = Path(path)
    try:
        allowed = {digest for name, digest in read_sums(path.parent) or ()
                   if name == path.name}
        if allowed and digest_of(path) not in allowed:
            return (f"{path.name} is truncated or damaged (not the bytes "
                    f"that {SUMS} stands for)")
    except ValueError as error:
        return str(error)
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror or error})"
    return None

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read the lines of a list that a user names."""

from contrib_semiseg.cvlibs.errors import DataError, one_line

_MOST_BYTES = 1 << 28  # COCO's list of 118,000 pairs has 0.01e9
_LONGEST = 1 << 14  # bytes of a line; a path has 4096 at most


def read_lines(path):
    """Lines of a text in UTF-8, without their ends.

    Read line by line, so that a file of something else is not taken in
    whole before it is refused.

    Args:
        path (str): the file.

    Yields: (int, str): number from 1, and the line.
    Raises: DataError naming file and line, if it cannot be read, is no
        text, or no list: a line longer than 16 KiB, a file larger than
        256 MiB.
    """
    left = _MOST_BYTES
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(_LONGEST + 1):
                number += 1
                left -= len(line)
                if len(line) > _LONGEST:
                    raise DataError(f"{path}: line {number} is longer than "
                                    f"{_LONGEST} bytes; allowed: paths")
                if left < 0:
                    raise DataError(f"{path} is larger than {_MOST_BYTES} "
                                    "bytes; allowed: a list")
                if b"\0" in line:
                    raise DataError(f"{path}: not a text file (line {number} "
                                    "holds a zero byte)")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, text.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file in UTF-8 (line {number}: "
                        f"{one_line(error.reason)})") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}"
                        ) from error

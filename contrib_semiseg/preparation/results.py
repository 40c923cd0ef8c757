# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The files that a preparation makes: put whole into place, kept if whole."""

import contextlib
import fcntl
import io
import os
import shutil

import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.cvlibs.safe_image import open_safely

_ENDS = {".png": b"\0\0\0\0IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}


@contextlib.contextmanager
def _replacing(path):
    """A file beside `path` that takes its name once it is complete."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = f"{path}.part"
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def put_bytes(path, data):
    """Write a file; under its name it is never incomplete."""
    with _replacing(path) as part, open(part, "wb") as file:
        file.write(data)


def put_text(path, text):
    put_bytes(path, text.encode("utf-8"))


def put_lines(path, lines):
    """Write a list: a line each."""
    put_text(path, "".join(f"{line}\n" for line in lines))


def put_mask(path, mask):
    """Write class indices, uint8 [H, W], as a grey PNG."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    put_bytes(path, file.getvalue())


def put_file(path, source):
    """Make `path` the same file as `source`: a hard link, else a copy."""
    if os.path.exists(path) and os.path.samefile(path, source):
        return
    with _replacing(path) as part:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)  # of an earlier run that was killed
        try:
            os.link(os.path.realpath(source), part)
        except OSError:
            shutil.copyfile(source, part)


def is_whole(path, size=None):
    """Whether a file is there to its end.

    Args:
        size (int, optional): its bytes; without it, a PNG or JPEG must have
            the end of one.
    """
    try:
        found = os.path.getsize(path)
        if size is not None:
            return found == size
        end = _ENDS[os.path.splitext(path)[1]]
        with open(path, "rb") as file:
            file.seek(max(0, found - len(end)))
            return file.read() == end
    except OSError:
        return False


def decode(data, where, what="mask"):
    """The picture in a file's bytes, complete.

    Raises: DataError naming `where`.
    """
    try:
        with open_safely(io.BytesIO(data)) as image:
            image.load()
            return image
    # Decoders raise whatever they like on broken files.
    except Exception as error:
        raise DataError(f"{where}: the {what} cannot be read ({error}); "
                        "download it again") from error


def indices(image, where):
    """The numbers that a picture of one 8-bit channel stores: [H, W] uint8.

    Raises: DataError naming `where`, for colours or deeper channels.
    """
    array = np.array(image)
    if array.ndim != 2 or array.dtype != np.uint8:
        raise DataError(f"{where}: the mask holds mode {image.mode}; allowed: "
                        "one 8-bit channel")
    return array


def colors_to_indices(image, colors, where, *, stray=0.0, instead=255):
    """Classes of a picture of colours: uint8 [H, W].

    Args:
        image (array): uint8 [H, W, 3], RGB.
        colors (dict): (r, g, b) -> class, 0..255.
        where (str): the file, for messages.
        stray (float): share of pixels, in [0, 1], that may have a colour
            which `colors` lacks; they become `instead`.

    Raises: DataError naming the file and such a colour, if more have one.
    """
    weights = np.array([1 << 16, 1 << 8, 1])
    codes = image.astype(np.int64) @ weights
    order = sorted(colors)  # as their codes are ordered
    known = np.array(order) @ weights
    places = np.searchsorted(known, codes).clip(max=len(known) - 1)
    classes = np.array([colors[c] for c in order], np.uint8)[places]
    foreign = known[places] != codes
    if foreign.mean() > stray:
        color = tuple(int(v) for v in image[foreign][0])
        raise DataError(f"{where}: {int(foreign.sum())} pixels have colours "
                        f"that the dataset does not use, first: {color}; "
                        "allowed: an unaltered PNG of its publisher")
    classes[foreign] = instead
    return classes


@contextlib.contextmanager
def alone_in(folder):
    """Keep other preparations out of `folder` meanwhile.

    The system drops the lock with the process, so that none can be stale.
    """
    os.makedirs(folder, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(f"{folder}: another preparation is at work here; "
                        "wait for its end") from None
    finally:
        os.close(handle)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read pictures and masks of any kind; what is wrong is one DataError."""

import functools
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.cvlibs.safe_image import open_safely

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
FULL_RANGE = (0, 65535)
_ORIENTATION = 0x0112
# How pixels as stored become upright, by the EXIF orientation.
_TURNS = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1],
          4: lambda a: a[::-1], 5: lambda a: a.swapaxes(0, 1),
          6: lambda a: np.rot90(a, -1),
          7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
          8: lambda a: np.rot90(a)}


class Opened(NamedTuple):
    """A decoded file.

    image (PIL.Image): as stored, not turned. stored (tuple): its (width,
    height) in the file. deep (bool): it has 16 bits a channel or more, of
    which Pillow keeps 8 where there are colours. orientation (int): of its
    EXIF tag, 1..8; 1: upright as it is.
    """

    path: str
    image: Image.Image
    stored: tuple
    deep: bool
    orientation: int

    @property
    def plain(self):
        """Whether the stored pixels are those of `rgb`, but for the mode."""
        return not self.deep and self.orientation == 1

    def size(self, upright=True):
        """(width, height) in pixels, turned by the EXIF tag or as stored."""
        width, height = self.stored
        turned = upright and self.orientation > 4
        return (height, width) if turned else (width, height)


def _orientation(image):
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    # A picture is none the worse for a tag that cannot be parsed.
    except Exception:
        return 1
    return found if found in _TURNS else 1


def open_image(path, what="image", shrink=1):
    """Decode a file: Opened.

    Args:
        path (str): the file.
        what (str): for messages.
        shrink (int): a JPEG that is upright may be decoded so much smaller,
            which reads as much of the file in less time.
    Raises: DataError naming the file, if missing or broken.
    """
    try:
        with open_safely(path) as image:
            rawmode = str(image.tile[0][3]) if image.tile else ""
            stored, orientation = image.size, 1
            if image.format == "JPEG":
                orientation = _orientation(image)
                if shrink > 1 and orientation == 1:
                    image.draft("RGB", [max(1, n // shrink) for n in stored])
            image.load()
            if image.format != "JPEG":  # a PNG may have the tag at its end
                orientation, stored = _orientation(image), image.size
    except FileNotFoundError:
        raise DataError(f"{path}: the {what} is missing") from None
    # Decoders raise whatever they like on broken files.
    except Exception as error:
        raise DataError(f"{path}: the {what} cannot be read "
                        f"({error}); allowed: a complete image file") from error
    deep = ";16" in rawmode or image.mode.startswith(("I", "F"))
    return Opened(path, image, stored, deep, orientation)


def deep_values(opened):
    """The values of a picture of 16 bits a channel: [H, W] or [H, W, 3] RGB.

    Raises: DataError for more bits, negative values or an unknown format.
    """
    path, image = opened.path, opened.image
    if image.mode.startswith(("I", "F")):
        values = np.array(image)
        if values.dtype.kind == "f" or values.min() < 0 or \
                values.max() > FULL_RANGE[1]:
            raise DataError(
                f"{path}: the image holds values from {values.min()} to "
                f"{values.max()} (mode {image.mode}); allowed: 8 or 16 bits "
                "a channel, RGB or grey")
        return values
    # Of colours Pillow has kept the upper 8 bits alone.
    with open(path, "rb") as file:
        data = np.frombuffer(file.read(), np.uint8)
    values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or \
            values.shape[:2] != image.size[::-1]:
        raise DataError(f"{path}: this kind of 16-bit image cannot be read; "
                        "save it as PNG, or with 8 bits a channel")
    return values if values.ndim == 2 else values[..., 2::-1]


@functools.lru_cache(maxsize=8)
def _to_8_bits(low, high):
    values = (np.arange(FULL_RANGE[1] + 1) - low) * (255.0 / (high - low))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def turned(array, orientation):
    """Pixels as stored, [H, W, ...], upright by their EXIF orientation."""
    turn = _TURNS.get(orientation)
    return array if turn is None else np.ascontiguousarray(turn(array))


def rgb(opened, *, image_range=None, upright=True):
    """An opened picture as uint8 [H, W, 3]; see `read_image`."""
    if opened.deep:
        values = _to_8_bits(*(image_range or FULL_RANGE))[deep_values(opened)]
        if values.ndim == 2:
            values = np.repeat(values[..., None], 3, axis=2)
    else:
        image = opened.image
        values = np.array(image if image.mode == "RGB" else
                          image.convert("RGB"))
    return turned(values, opened.orientation) if upright else values


def read_image(path, *, image_range=None, upright=True):
    """Read a picture as RGB: uint8 [H, W, 3].

    Grey and palette pictures become RGB, an alpha channel is left out.

    Args:
        path (str): the file.
        image_range (tuple, optional): (low, high), the values of a picture
            of 16 bits a channel that become 0 and 255, evenly between and
            cut off beyond; null: (0, 65535). Pictures of 8 bits stay.
        upright (bool): turn it as its EXIF tag says.
    Raises: DataError naming the file, if missing, broken or of more bits.
    """
    return rgb(open_image(path), image_range=image_range, upright=upright)


def _opaque(path, image):
    """Refuse a mask that is transparent anywhere."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        alpha = image.convert("RGBA").getchannel("A").histogram()
        if sum(alpha[:255]):
            raise DataError(
                f"{path}: the mask is transparent in {sum(alpha[:255])} "
                "pixels; allowed: opaque everywhere, or no alpha channel")


def _open_mask(path):
    """A mask of class indices, not turned: Opened of mode L or P."""
    opened = open_image(path, "mask")
    image = opened.image
    if image.mode in ("LA", "PA"):
        _opaque(path, image)
        image = image.getchannel(0)
    if len(image.getbands()) != 1:
        raise DataError(f"{path}: the mask holds colours ({image.mode}); "
                        "convert it to class indices (one 8-bit channel), or "
                        "state mask_colors of a FolderDataset")
    if image.mode not in ("L", "P"):
        mask = np.array(image)
        if mask.min() < 0 or mask.max() > 255 or mask.dtype.kind == "f":
            raise DataError(f"{path}: the mask holds values from {mask.min()} "
                            f"to {mask.max()}; allowed: 0..255")
        image = Image.fromarray(mask.astype(np.uint8))
    return opened._replace(image=image)


def read_mask(path, *, upright=True):
    """Read a mask of class indices as stored: uint8 [H, W].

    A palette PNG gives its indices, not its colours; one bit gives 0 and 1;
    16 bits will do where the values fit into 8.

    Args:
        path (str): the file.
        upright (bool): turn it, if it has an EXIF tag of its own.
    Raises: DataError naming the file, if missing, broken or of colours.
    """
    opened = _open_mask(path)
    mask = np.array(opened.image)
    return turned(mask, opened.orientation) if upright else mask


def count_values(mask):
    """Pixels of each value of an array of uint8: int64 [256].

    A mask is made of runs: counting these takes half the time of counting
    pixels.
    """
    flat = mask.ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    if len(ends) > flat.size // 16:
        return np.bincount(flat, minlength=256)
    ends = np.append(ends, flat.size - 1)
    lengths = np.diff(ends, prepend=-1)
    return np.bincount(flat[ends], lengths, 256).astype(np.int64)


def mask_histogram(path, *, upright=True):
    """Size and values of a mask, without its pixels.

    Returns: ((width, height), int64 [256]): pixels of each value.
    Raises: as `read_mask`.
    """
    opened = _open_mask(path)
    return opened.size(upright), count_values(np.array(opened.image))


def open_colors(path):
    """Decode a mask of colours: Opened of mode RGB.

    Grey and palette masks give the colours that they are shown in.
    Raises: DataError naming the file, if missing, broken, of more than 8
        bits a channel, or transparent anywhere.
    """
    opened = open_image(path, "mask")
    image = opened.image
    if opened.deep:
        raise DataError(f"{path}: the mask has more than 8 bits a channel "
                        f"(mode {image.mode}); allowed: 8-bit colours")
    _opaque(path, image)
    return opened._replace(image=image.convert("RGB"))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Open a picture that nobody vouches for: plain formats, a bounded size."""

import os
import stat
import warnings

from PIL import Image

# Pillow knows some sixty formats by their content, whatever the name; one of
# them (EPS) hands the file to another program.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
# Where Pillow refuses, too, unless it was told otherwise; 0.5 GB as RGB.
MOST_PIXELS = 178_956_970

# Half of it is no mistake.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def open_safely(file):
    """As Image.open: reads the header, and no pixels yet.

    Args:
        file (str or binary file): a file that is no regular one (a pipe)
            is refused, as reading it could wait for ever.
    Raises: OSError or whatever Pillow raises; ValueError, if it has more
        than MOST_PIXELS pixels, or none.
    """
    if isinstance(file, (str, os.PathLike)) and not stat.S_ISREG(
            os.stat(file).st_mode):
        raise ValueError("not a regular file")
    image = Image.open(file, formats=FORMATS)
    width, height = image.size
    if not 0 < width * height <= MOST_PIXELS:
        image.close()
        raise ValueError(f"its header says {width} x {height} pixels, the "
                         f"limit is {MOST_PIXELS} in all")
    return image

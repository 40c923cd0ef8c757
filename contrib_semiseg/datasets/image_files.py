# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures without masks that a command line names: file, folder or list."""

import os

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.base import (
    IMAGE_SUFFIXES,
    missing_files,
    read_image,
)
from contrib_semiseg.datasets.list_dataset import (
    output_name,
    read_list,
    walk_images,
)


def find_images(path, leave_out=None):
    """Find the pictures that `path` means.

    Args:
        path (str): a picture, a folder (with its sub-folders), or a .txt list
            of pictures, one a line, relative to the list.
        leave_out (str, optional): a folder whose pictures do not count.

    Returns: list of (path, relative name for outputs).
    Raises: DataError if there are none, some are missing, or two pictures
        would have the same name.
    """
    if os.path.isdir(path):
        found = [(os.path.join(path, name), name) for name in
                 walk_images(path)]
        if leave_out is not None:
            own = os.path.join(os.path.realpath(leave_out), "")
            found = [(file, name) for file, name in found
                     if not os.path.realpath(file).startswith(own)]
    elif path.lower().endswith(".txt") and os.path.isfile(path):
        folder = os.path.dirname(path)
        found = [(os.path.join(folder, fields[0]), output_name(fields[0]))
                 for _, fields in read_list(path)]
    else:
        found = [(path, os.path.basename(path))]
    if not found:
        raise DataError(f"--image_path {path}: 0 images; allowed: "
                        f"{', '.join(IMAGE_SUFFIXES)}")
    missing = missing_files([os.path.normpath(file) for file, _ in found])
    if missing:
        raise DataError(f"--image_path {path}: {len(missing)} of {len(found)} "
                        f"images are missing, first: {missing[0]}")
    paths = {}
    for file, name in found:
        other = paths.setdefault(name, file)
        if os.path.normpath(other) != os.path.normpath(file):
            raise DataError(f"--image_path {path}: {other} and {file} would "
                            f"both be written as {name}; list one of them")
    return found


def first_readable(images):
    """The first of `find_images` that can be read: uint8 [H, W, 3].

    Raises: DataError of the last one, if none can.
    """
    for path, _ in images:
        try:
            return read_image(path)
        except DataError as error:
            last = error
    raise last

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures without masks that a command line names: file, folder or list."""

import functools
import glob
import os
import re

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.base import missing_files
from contrib_semiseg.datasets.list_dataset import (
    output_name,
    read_list,
    walk_images,
)
from contrib_semiseg.datasets.reading import IMAGE_SUFFIXES, read_image

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg",
                  ".mpeg")


def is_video(path):
    """Whether a path means a video, or a number a camera."""
    return not isinstance(path, str) or path.lower().endswith(VIDEO_SUFFIXES)


def _in_folder(path):
    return [(os.path.join(path, name), name) for name in walk_images(path)]


def _in_list(path):
    folder = os.path.dirname(path)
    return [(os.path.join(folder, fields[0]), output_name(fields[0]))
            for _, fields in read_list(path)]


def _in_pattern(path, suffixes):
    """Files that a glob pattern means; named from its first "*" on."""
    fixed = re.split(r"[*?[]", path, maxsplit=1)[0]
    folder = os.path.dirname(fixed)
    return [(file, output_name(os.path.relpath(file, folder or ".")))
            for file in sorted(glob.glob(path, recursive=True))
            if file.lower().endswith(suffixes) and os.path.isfile(file)]


def find_images(path, leave_out=None, videos=False):
    """Find the pictures that `path` means.

    Args:
        path (str): a picture, a folder (with its sub-folders), a .txt list
            of pictures, one a line, relative to the list, or a glob pattern
            ("**" for folders of any depth).
        leave_out (str, optional): a folder whose pictures do not count.
        videos (bool): it may be a video as well, the lists and patterns may
            name some, and a number means a camera.

    Returns: list of (path, relative name for outputs); the path of a camera
        is its number (int).
    Raises: DataError if there are none, some are missing, or two pictures
        would have the same name.
    """
    suffixes = IMAGE_SUFFIXES + (VIDEO_SUFFIXES if videos else ())
    if videos and path.isascii() and path.isdigit() and \
            not os.path.exists(path):
        return [(int(path), f"camera{int(path)}")]
    if os.path.isdir(path):
        found = _in_folder(path)
    elif path.lower().endswith(".txt") and os.path.isfile(path):
        found, leave_out = _in_list(path), None
    elif not os.path.exists(path) and re.search(r"[*?[]", path):
        found = _in_pattern(path, suffixes)
    else:
        found, leave_out = [(path, os.path.basename(path))], None
    if leave_out is not None:
        own = os.path.join(os.path.realpath(leave_out), "")
        found = [(file, name) for file, name in found
                 if not os.path.realpath(file).startswith(own)]
    if not found:
        raise DataError(f"--image_path {path}: 0 images; allowed: "
                        f"{', '.join(suffixes)}")
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


def image_reader(config):
    """How the images of a configuration are read: path to uint8 [H, W, 3].

    As its validation set reads its own, whose files may be absent.
    """
    section = config.get("val_dataset") or {}
    return functools.partial(read_image,
                             image_range=section.get("image_range"),
                             upright=section.get("exif_rotation", True))


def first_readable(images, read=read_image):
    """The first of `find_images` that can be read: uint8 [H, W, 3].

    Args:
        images (list): see `find_images`.
        read (callable): see `image_reader`.
    Raises: DataError of the last one, if none can.
    """
    for path, _ in images:
        try:
            return read(path)
        except DataError as error:
            last = error
    raise last

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Look at every image and mask of several datasets, each file decoded once.

What says whether two images are equal is a checksum of few of their pixels;
only images that agree in it are decoded again and compared as a whole. Of
most JPEGs these pixels are those of the picture at an eighth of its size,
which takes less time than decoding it.
"""

import collections
import concurrent.futures
import hashlib
import itertools
import multiprocessing
import os
import zlib
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple, Optional

import cv2
import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.datasets.reading import deep_values, open_image

_STEP = 8  # one pixel of 8 x 8 goes into the checksum
_CHUNK = 16  # images that a process takes at a time
_datasets = {}  # of this process: section -> dataset


class Look(NamedTuple):
    """What there is to say of one image file.

    path (str); size (tuple): (width, height) as a network sees it, None if
    the file cannot be read; key (int): equal for equal pictures of a size,
    if both are `small` or neither is; small (bool): it was decoded at a
    smaller size; deepest (int): the largest value, if it has 16 bits a
    channel; turned (bool): it has an EXIF tag that turns it.
    """

    path: str
    size: Optional[tuple] = None
    key: Optional[int] = None
    small: bool = False
    deepest: Optional[int] = None
    turned: bool = False


class Findings(NamedTuple):
    """What was found in all files of some sections.

    problems (dict): section -> list of str; pixels, images (dict): section
    -> int64 [256], pixels of each class and images that hold it; looks
    (dict): path -> Look.
    """

    problems: dict
    pixels: dict
    images: dict
    looks: dict

    @classmethod
    def empty(cls, sections):
        return cls({s: [] for s in sections},
                   {s: np.zeros(256, np.int64) for s in sections},
                   {s: np.zeros(256, np.int64) for s in sections}, {})

    def add(self, other):
        """Take over what another process found."""
        for section in other.pixels:
            self.problems[section] += other.problems[section]
            self.pixels[section] += other.pixels[section]
            self.images[section] += other.images[section]
        self.looks.update(other.looks)


def look(path, dataset, shrink=_STEP):
    """Decode an image and describe it. Raises: DataError."""
    opened = open_image(path, shrink=shrink)
    few, deepest, size = opened.image, None, opened.stored
    small = few.size != size
    if not opened.plain:
        few = Image.fromarray(dataset.read_image(path))
        deepest = int(deep_values(opened).max()) if opened.deep else None
        size = few.size
    if not small:
        few = few.resize([-(-n // _STEP) for n in size],
                         Image.Resampling.NEAREST)
    key = zlib.crc32(few.convert("RGB").tobytes())
    return Look(path, size, key, small, deepest, opened.orientation != 1)


def digest(path, dataset):
    """A digest of all pixels of an image: bytes. Raises: DataError."""
    return hashlib.blake2b(np.ascontiguousarray(dataset.read_image(path)),
                           digest_size=16).digest()


def inspect_files(job):
    """Inspect some files of this process's datasets.

    Args:
        job (list): (path, [(section, index)]) of each.
    Returns: Findings
    """
    found = Findings.empty(_datasets)
    for path, users in job:
        try:
            found.looks[path] = look(path, _datasets[users[0][0]])
        except DataError:  # that `inspect` will list, for each section
            found.looks[path] = Look(path)
        for section, index in users:
            wrong, counts = _datasets[section].inspect(
                index, found.looks[path].size)
            found.problems[section] += wrong
            if counts is not None:
                found.pixels[section] += counts
                found.images[section] += counts > 0
    return found


def _whole_looks(job):
    """[Look] of the files of a job, none of them small."""
    return [look(path, _datasets[users[0][0]], 1) for path, users in job]


def _digests(job):
    """[(path, digest)] of the files of a job; see `inspect_files`."""
    return [(path, digest(path, _datasets[users[0][0]]))
            for path, users in job]


def _begin(datasets):
    """Prepare a process: one thread, its own datasets."""
    cv2.setNumThreads(0)
    _datasets.clear()
    _datasets.update(datasets)


class Workers:
    """Some processes that look at files; with one, this process does.

    Args:
        datasets (dict): section -> SegDataset.
        count (int): processes.
    """

    def __init__(self, datasets, count):
        self._pool, self._count = None, count
        if count == 1:
            _begin(datasets)
            return
        # A fork starts at once, where there is one.
        how = "fork" if "fork" in multiprocessing.get_all_start_methods() \
            else None
        self._pool = concurrent.futures.ProcessPoolExecutor(
            count, mp_context=multiprocessing.get_context(how),
            initializer=_begin, initargs=(datasets,))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work, files):
        """Results of `work` over chunks of the files, in their order.

        Yields: (number of files, result)
        Raises: UserError, if a process is killed.
        """
        files = list(files)
        jobs = [files[i:i + _CHUNK] for i in range(0, len(files), _CHUNK)]
        results = map(work, jobs) if self._pool is None else \
            self._pool.map(work, jobs)
        try:
            for job, result in zip(jobs, results):
                yield len(job), result
        except BrokenProcessPool as error:
            raise UserError("a process that reads images was killed (out of "
                            "memory?); try a smaller --num_workers") from error


def users_of(datasets):
    """Which sections use a file: {real path: [(section, index)]}."""
    users = collections.defaultdict(list)
    for section, dataset in datasets.items():
        for index in range(len(dataset)):
            users[os.path.realpath(dataset.image_path(index))].append(
                (section, index))
    return users


def inspect_all(datasets, processes, progress=lambda count: None):
    """Inspect every image and mask of every dataset.

    Args:
        datasets (dict): section -> SegDataset.
        processes (int): at work.
        progress (callable): called with numbers of files done.
    Returns: (Findings, twins): twins is a list of lists of paths, files that
        hold the same picture.
    """
    users, found = users_of(datasets), Findings.empty(datasets)
    with Workers(datasets, processes) as workers:
        for count, part in workers.map(inspect_files, users.items()):
            found.add(part)
            progress(count)

        def run(work, paths):
            return itertools.chain.from_iterable(part for _, part in (
                workers.map(work, [(path, users[path]) for path in paths])))

        readable = [one for one in found.looks.values() if one.size]
        whole = {one.size for one in readable if not one.small}
        for one in run(_whole_looks, [one.path for one in readable
                                      if one.small and one.size in whole]):
            found.looks[one.path] = one
        alike, same = (collections.defaultdict(list) for _ in range(2))
        for one in readable:
            one = found.looks[one.path]
            alike[one.size, one.key].append(one.path)
        again = [path for paths in alike.values() if len(paths) > 1
                 for path in paths]
        for path, own in run(_digests, again):
            same[found.looks[path].size, own].append(path)
    return found, [paths for paths in same.values() if len(paths) > 1]

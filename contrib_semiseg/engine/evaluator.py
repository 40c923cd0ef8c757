# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Scores of a network over a validation set."""

import collections
import concurrent.futures
import time

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import console
from contrib_semiseg.metrics.confusion import Scores, confusion

_AHEAD = 4  # decoded images that wait at most
_LINE_SECONDS = 30.0  # between two progress lines where there is no terminal


def read_ahead(read, indices, workers=1):
    """Yield `read(i)` in order, read by threads while the caller works.

    An error of `read` is raised where its item is due.
    """
    with concurrent.futures.ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = collections.deque()
        try:
            for index in indices:
                waiting.append(pool.submit(read, index))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def progress(items, total, title):
    """Yield `items`: a bar on a terminal, elsewhere a line now and then.

    Process 0 alone shows it. `total` is their number, None if unknown.
    """
    start = said = time.monotonic()
    with console.bar(total, title=title) as bar:
        for done, item in enumerate(items, 1):
            yield item
            bar.update()
            now = time.monotonic()
            if not bar.disable or now - said <= _LINE_SECONDS:
                continue
            said = now
            if total is None:
                console.say(f"{title}: {done} images")
            elif done < total:
                left = (now - start) / done * (total - done)
                console.say(f"{title}: {done} of {total} images, "
                            f"{console.clock(left)} left")


def evaluate(inferencer, dataset, *, rank=0, world=1, reduce=None,
             workers=1):
    """Evaluate on a data set, at the size of its labels.

    Where the inferencer has a `center_crop`, that part of each is all.

    Args:
        inferencer (Inferencer): image to class map.
        dataset (SegDataset): a validation set; every image needs its mask.
        rank, world (int): this process takes each `world`-th image.
        reduce (callable, optional): sums an int64 array over the processes;
            needed where `world` > 1.
        workers (int): threads that read images.

    Returns: Scores of the whole set, the same on every rank.
    Raises: DataError for an image that cannot be read or has no mask.
    """
    indices = range(rank, len(dataset), world)
    classes = dataset.num_classes
    matrix = np.zeros((classes, classes), np.int64)

    def read(index):
        return index, dataset.read(index)

    for index, (image, label) in progress(
            read_ahead(read, indices, workers), len(indices), "evaluating"):
        if label is None:
            raise DataError(f"{dataset.name(index)} has no mask; the "
                            "validation set needs one for each image")
        image, label = map(inferencer.evaluated, (image, label))
        pred, _ = inferencer(image, label.shape)
        matrix += confusion(pred, label, classes, dataset.ignore_index)
    if reduce is not None:
        matrix = np.asarray(reduce(matrix))
    return Scores(matrix, dataset.class_names)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which image stands where in an epoch, and the random numbers of its item.

Everything here is a function of (seed, stream, epoch, position): batches do
not depend on the number of loader workers or on what was read before.
"""

import random
import zlib
from typing import NamedTuple

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError

LABELED, UNLABELED, SOURCE = "labeled", "unlabeled", "source"


class ItemKey(NamedTuple):
    """One item: its stream, epoch, place in the epoch, and image."""

    stream: str
    epoch: int
    position: int
    index: int


def extend_indices(n, length, perm):
    """Stretch a list of `n` files to `length` items.

    Args:
        n (int): files.
        length (int): wanted items.
        perm: a permutation of range(n).
    Returns: int64 [length]: the first `length` files if there are more; else
        the whole list as often as it fits, then the first of `perm`.
    Source: the CPS release.
    """
    if length < n:
        return np.arange(length)
    return np.concatenate([np.tile(np.arange(n), length // n),
                           np.asarray(perm)[:length % n]]).astype(np.int64)


def epoch_counts(total, ratio, batch):
    """Counts of an epoch when 1 of `ratio` of `total` images is labelled.

    Returns: (labelled, unlabelled, items of an epoch, iterations of an epoch)
    Source: the CPS release.
    """
    labeled = total // ratio
    unlabeled = total - labeled
    length = max(labeled, unlabeled)
    return labeled, unlabeled, length, length // batch


def repeat_indices(n, length):
    """Repeat a list of `n` files and cut it: int64 [length].

    Source: the UniMatch release (loaders).
    """
    return np.arange(length) % n


def resampled_indices(n, length, seed):
    """Draw `length` items, without replacement, of a list of `n` files.

    A shorter list is repeated as a whole until it is long enough.

    Returns: int64 [length].
    Source: the U2PL release, whose generator is Python's.
    """
    files = list(range(n)) * max(1, -(-length // n))
    return np.array(random.Random(seed).sample(files, length), np.int64)


def rank_places(length, world, rank):
    """Places of an epoch that one of `world` processes gets, dealt in turn.

    Every process gets as many; a place p past the end stands for the item
    p - length once more.

    Returns: int64 [ceil(length / world)], `rank` first.
    Source: the UniMatch release (loaders).
    """
    return np.arange(-(-length // world)) * world + rank


def _generator(*key):
    # crc32 turns names into numbers that are the same in every process.
    return np.random.default_rng(np.random.SeedSequence(
        [zlib.crc32(k.encode()) if isinstance(k, str) else k for k in key]))


def item_rng(seed, stream, epoch, position):
    """The generator of one item: np.random.Generator."""
    return _generator(seed, "item", stream, epoch, position)


class Stream:
    """An endless, shuffled sequence of items, cut into equal batches.

    Args:
        n (int): images of the dataset.
        length (int): items of an epoch; the list is stretched to it.
        batch (int): items of a batch of ONE process.
        seed (int): seed of the run.
        name (str): of the stream; streams of other names differ.
        world, rank (int): processes, and the number of this one. The batches
            of all ranks together are the one batch of a single process with
            `batch * world`.
        fixed_order (bool): every epoch in the order of the first one.
        order (str, optional): take the order of the stream of that name (the
            items' random numbers stay apart). None: this stream's own.
        joint (bool): the list is repeated and cut, the order is that of the
            places, and items are dealt to the ranks one by one: streams of
            one length and `order` have the same places in every batch.
        resample (bool): the items of all epochs are those that
            `resampled_indices` draws once; dealt as with `joint`.

    Raises: DataError, if an epoch has less items than a batch.
    """

    def __init__(self, *, n, length, batch, seed, name, world=1, rank=0,
                 fixed_order=False, order=None, joint=False, resample=False):
        self.n, self.length, self.batch = n, length, batch
        self.seed, self.name, self.world, self.rank = seed, name, world, rank
        self.fixed_order = fixed_order
        self.order_name = name if order is None else order
        # The same items in every epoch, or None.
        self._items = (repeat_indices(n, length) if joint else
                       resampled_indices(n, length, seed) if resample else
                       None)
        self._places = (None if self._items is None else
                        rank_places(length, world, rank))
        self.iters_per_epoch = (
            length // (batch * world) if self._places is None else
            len(self._places) // batch)
        if self.iters_per_epoch < 1:
            whole = (f"{batch} on each of {world} processes" if world > 1 else
                     f"{batch}")
            raise DataError(
                f"the {name} stream has {length} images, fewer than the batch "
                f"of {whole}; lower batch_size or add images")
        self._orders = {}

    def order(self, epoch):
        """Image index of each item of an epoch: int64 [length]."""
        epoch = 0 if self.fixed_order else epoch
        if epoch not in self._orders:
            rng = _generator(self.seed, "order", self.order_name, epoch)
            if self._items is not None:
                order = self._items[rng.permutation(self.length)]
            else:
                order = rng.permutation(extend_indices(
                    self.n, self.length, rng.permutation(self.n)))
            self._orders = {epoch: order}
        return self._orders[epoch]

    def keys(self, step):
        """The ItemKeys of this process' batch at a step (from 0)."""
        epoch, i = divmod(step, self.iters_per_epoch)
        order, start = self.order(epoch), i * self.batch
        if self._places is not None:
            places = self._places[start:start + self.batch].tolist()
        else:
            start = start * self.world + self.rank * self.batch
            places = range(start, start + self.batch)
        # A place past the end repeats an image with other draws.
        return [ItemKey(self.name, epoch, p, int(order[p % self.length]))
                for p in places]


def training_streams(*, labeled, batch, seed, unlabeled=None, source=False,
                     same_image_mix=False, joint_order=False,
                     list_resampling=False, world=1, rank=0):
    """The streams of a run, all of one length.

    That is the longer of the two lists; with `joint_order` or
    `list_resampling` it is the unlabelled one, as long as there is one.

    Args:
        labeled, unlabeled (int, int or None): images of each list; None: no
            unlabelled stream.
        batch (int): items of each stream in a batch of ONE process.
        source (bool): a second unlabelled stream, with an order of its own.
        same_image_mix (bool): it shows the images of the first instead.
            Without `joint_order` both then repeat their first epoch's order
            (the CPS release).
        joint_order (bool): labelled and unlabelled images are shuffled
            together: image i of the unlabelled list always stands beside
            image i mod `labeled` of the labelled one (the UniMatch
            release).
        list_resampling (bool): each list is brought to the common length
            once, by a draw from the seed, and every epoch has these items
            (the U2PL release). Not together with `joint_order`.
        seed, world, rank: see `Stream`.
    Returns: dict name -> Stream, with equal `iters_per_epoch`.
    """
    joint = joint_order and unlabeled is not None
    fixed = same_image_mix and not joint
    resample = list_resampling and unlabeled is not None
    shared = dict(length=unlabeled if joint or resample else
                  max(labeled, unlabeled or 0), batch=batch, seed=seed,
                  world=world, rank=rank, joint=joint, resample=resample)
    streams = {LABELED: Stream(n=labeled, name=LABELED,
                               order=UNLABELED if joint else None, **shared)}
    if unlabeled is not None:
        streams[UNLABELED] = Stream(n=unlabeled, name=UNLABELED,
                                    fixed_order=fixed, **shared)
        if source:
            streams[SOURCE] = Stream(
                n=unlabeled, name=SOURCE, fixed_order=fixed,
                order=UNLABELED if same_image_mix else None, **shared)
    return streams

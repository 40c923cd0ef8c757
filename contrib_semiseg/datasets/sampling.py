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


def _too_few(name, length, batch, world):
    whole = f"{batch} on each of {world} processes" if world > 1 else batch
    return (f"the {name} stream has {length} images, fewer than the batch of "
            f"{whole}; lower batch_size or add images")


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
            raise DataError(_too_few(name, length, batch, world))
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


class CycledStream:
    """Epochs of a fixed number of batches, over a list of any length.

    An epoch goes through the list in a new order, as often as it takes; what
    does not fill a batch is left out of each turn, and the last turn ends
    with the epoch. Items are dealt to the processes one by one.

    Args:
        iters (int): batches of an epoch.
        replay (bool): later turns of an epoch repeat its first one batch for
            batch, with the same random numbers.
        n, batch, seed, name, world, rank, order: see `Stream`.

    Raises: DataError, if the list has less items than a batch.
    Source: the CAC release, which replays.
    """

    def __init__(self, *, n, iters, batch, seed, name, world=1, rank=0,
                 replay=False, order=None):
        self.n, self.batch, self.seed, self.name = n, batch, seed, name
        self.iters_per_epoch, self.replay = iters, replay
        self.order_name = name if order is None else order
        self._places = rank_places(n, world, rank)
        self._span = n + world  # more than any place
        self.iters_per_turn = len(self._places) // batch
        if self.iters_per_turn < 1:
            raise DataError(_too_few(name, n, batch, world))
        self._orders = {}

    def order(self, epoch, turn):
        """Image index of each place of a turn: int64 [n]."""
        if (epoch, turn) not in self._orders:
            self._orders = {(epoch, turn): _generator(
                self.seed, "order", self.order_name, epoch, turn).permutation(
                    self.n)}
        return self._orders[epoch, turn]

    def keys(self, step):
        """The ItemKeys of this process' batch at a step (from 0)."""
        epoch, i = divmod(step, self.iters_per_epoch)
        turn, i = divmod(i, self.iters_per_turn)
        turn = 0 if self.replay else turn
        order = self.order(epoch, turn)
        # A place past the end repeats an image with other draws.
        places = self._places[i * self.batch:(i + 1) * self.batch]
        return [ItemKey(self.name, epoch, turn * self._span + p,
                        int(order[p % self.n])) for p in places.tolist()]


def training_streams(*, labeled, batch, seed, unlabeled=None, source=False,
                     same_image_mix=False, joint_order=False,
                     list_resampling=False, world=1, rank=0, iters=None,
                     replay=False):
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
        iters (int, optional): batches of an epoch, whatever the lists hold:
            every list is gone through apart, see `CycledStream`.
        replay (bool): see `CycledStream`.
        seed, world, rank: see `Stream`.
    Returns: dict name -> Stream, with equal `iters_per_epoch`.
    """
    if iters is not None:
        counts = {LABELED: labeled, UNLABELED: unlabeled,
                  SOURCE: unlabeled if source else None}
        return {name: CycledStream(
            n=n, iters=iters, batch=batch, seed=seed, name=name, world=world,
            rank=rank, replay=replay,
            order=UNLABELED if name == SOURCE and same_image_mix else None)
            for name, n in counts.items() if n is not None}
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

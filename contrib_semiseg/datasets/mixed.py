# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""One list of labelled and pseudo-labelled images, each with its transforms.
"""

import numpy as np


def repetitions(labeled, pseudo=0, double_below=0):
    """How often the labelled list is listed in an epoch.

    Args:
        labeled (int): its images.
        pseudo (int): pseudo-labelled images, listed once. The labelled side
            is repeated until it is not the smaller one.
        double_below (int): without pseudo-labels, a list with fewer images
            is listed twice.
    Source: the ST release, with double_below = 200.
    """
    if pseudo:
        return -(-pseudo // labeled)
    return 2 if labeled < double_below else 1


class MixedDataset:
    """Several datasets behind one another, the first of them repeated.

    An item holds img and label alone, as its parts may be padded or not.

    Args:
        labeled (SegDataset): role "labeled".
        pseudo (SegDataset, optional): see `SegDataset.with_masks`.
        double_below (int): see `repetitions`.
    """

    def __init__(self, labeled, pseudo=None, double_below=0):
        self.parts = [labeled] + ([pseudo] if pseudo is not None else [])
        count = len(pseudo) if pseudo is not None else 0
        self.times = repetitions(len(labeled), count, double_below)
        self.palette, self.transforms = labeled.palette, labeled.transforms
        # (part, index) of each place of the list.
        self._places = np.concatenate(
            [np.tile(_places(0, len(labeled)), (self.times, 1)),
             _places(1, count)])

    def __len__(self):
        return len(self._places)

    @property
    def listing(self):
        """What an epoch goes over, in words."""
        text = f"{len(self.parts[0])} labeled images"
        if self.times > 1:
            text += f" listed {self.times} times"
        if len(self.parts) > 1:
            text += f", {len(self.parts[1])} pseudo-labeled images"
        return text

    @property
    def counts(self):
        """Images of each kind, however often they are listed: a dict."""
        return dict(zip(("labeled", "pseudo_labeled"), map(len, self.parts)))

    def place(self, index):
        """(part, index in it) of an item: 0 labelled, 1 pseudo-labelled."""
        part, own = self._places[index]
        return int(part), int(own)

    def name(self, index):
        part, own = self.place(index)
        return self.parts[part].name(own)

    def image_path(self, index):
        part, own = self.place(index)
        return self.parts[part].image_path(own)

    def item(self, index, rng, masks=True, views=None):
        """See `SegDataset.item`: {"img", "label"}."""
        part, own = self.place(index)
        item = self.parts[part].item(own, rng, masks=False)
        return {"img": item["img"], "label": item["label"]}


def _places(part, count):
    return np.stack([np.full(count, part), np.arange(count)], axis=1)

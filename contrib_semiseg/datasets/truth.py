# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The masks of images that training takes as unlabelled."""

import copy

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.base import missing_files


def with_truth(dataset, transforms):
    """A copy of unlabelled images that reads their own masks, too.

    For a diagnosis alone: what trains never gets it.

    Args:
        dataset (SegDataset): role "unlabeled".
        transforms (list): built transforms of its items, which have neither
            views nor crops nor drawn masks.

    Raises: DataError for images whose mask is not known or missing.
    """
    rows = [row._replace(mask=dataset.truth.get(row.image))
            for row in dataset.rows]
    bare = [row.image for row in rows if row.mask is None]
    if bare:
        raise DataError(
            f"diagnose_interval: {len(bare)} of {len(rows)} unlabelled images "
            f"have no known mask, first: {bare[0]}; allowed for them: "
            "diagnose_interval: 0")
    missing = missing_files([row.mask for row in rows])
    if missing:
        raise DataError(
            f"diagnose_interval: {len(missing)} of {len(rows)} masks of the "
            f"unlabelled images are missing, first: {missing[0]}; allowed "
            "without them: diagnose_interval: 0")
    other = copy.copy(dataset)
    other.rows, other.transforms = rows, list(transforms)
    other.views, other.masks, other.crops = {}, {}, None
    return other

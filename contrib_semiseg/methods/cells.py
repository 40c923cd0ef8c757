# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Vectors of a projection head, one for each cell of a view."""

from typing import Any, NamedTuple

import paddle
import paddle.nn.functional as F

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.methods.pseudo_labels import confidence
from contrib_semiseg.methods.teacher import mode


class Cells(NamedTuple):
    """Cells of one view, image after image and row by row.

    Attributes:
        feature (Tensor): [n, E] float32, rows of length 1.
        conf (Tensor): [n] float32 in (0, 1], no gradient.
        label (Tensor): [n] int64, the most likely class.
    """

    feature: Any
    conf: Any
    label: Any

    def take(self, index):
        """Those of int64 [m]."""
        return Cells(*(paddle.gather(column, index) for column in self))


def _refused(model, what):
    return ConfigError(f"model.type = {type(model).__name__} {what}")


def projection_of(model, cell):
    """What `cells_of` needs to know of a network.

    Args:
        model (Layer): a network with named outputs.
        cell (int): side of a cell, pixels.

    Returns: (pool, width): the feature's positions along a side of a cell,
        and the length of a vector.
    Raises: ConfigError, naming what the network lacks.
    """
    if getattr(model, "embedding", None) is None or \
            getattr(model, "embeds_joined", False):
        raise _refused(model, "has no projection head, which this method "
                       "needs; set model.embedding: projection (of "
                       "DeepLabV3Plus or PyramidNet)")
    # Any number of cells that a deep backbone does not shrink to nothing.
    side = 8 * cell
    with mode(model, training=False), paddle.no_grad():
        feature = model(paddle.zeros([1, 3, side, side]),
                        outputs=["feature"])["feature"]
        vectors = model.embedding(feature)
    pool, rest = divmod(feature.shape[2], 8)
    if pool < 1 or rest:
        raise _refused(
            model, f"has a feature of {feature.shape[2]} x "
            f"{feature.shape[3]} for {side} x {side} pixels; allowed: a "
            f"stride that divides {cell}, the stride of the crops")
    return pool, vectors.shape[1]


def cells_of(model, images, pool):
    """Project a view: its features are averaged over each cell before.

    Args:
        model (Layer): see `projection_of`; in the mode in which it is.
        images (Tensor): [N, 3, H, W] float32.
        pool (int): see `projection_of`.

    Returns: (Cells, shape): of all N * h * w cells, and [N, h, w].
    """
    feature = model(images, outputs=["feature"])["feature"]
    if pool > 1:
        feature = F.avg_pool2d(feature, pool)
    # Half precision would make ties of confidences that differ.
    with paddle.no_grad():
        conf, label = confidence(model.score(feature).astype("float32"))
    unit = F.normalize(model.embedding(feature).astype("float32"), axis=1,
                       epsilon=1e-12)
    rows = unit.transpose([0, 2, 3, 1]).flatten(0, 2)
    return Cells(rows, conf.flatten(), label.flatten()), conf.shape

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CutMixed strong views `strong1`, `strong2`, ... with `mask1`, `mask2`, ..."""

import functools

import paddle
import paddle.nn.functional as F

from contrib_semiseg.methods.features import check_features
from contrib_semiseg.methods.teacher import predict_rows
from contrib_semiseg.mixing.paste import paste


def pasted_images(own, source, views):
    """The strong views with their sources pasted in, view after view.

    Args:
        own, source (dict): the streams; own has the masks.
        views (sequence of str): numbers of the views, "1", "2".

    Returns: float32 [V * N, 3, H, W].
    """
    return paddle.concat([
        paste(own[f"strong{k}"], source[f"strong{k}"], own[f"mask{k}"])
        for k in views])


def predict_source(network, own, source, views):
    """Logits of the source's weak view in eval mode, where a mask shows it.

    Half of all masks are empty: the images that none of them shows are left
    out, see `predict_rows`.
    """
    masks = paddle.concat([own[f"mask{k}"] for k in views], axis=1)
    used = masks.astype("bool").flatten(1).any(axis=1)
    return predict_rows(network, source["weak"], used)


def same_content(own, source):
    """Where both strong views show the same image, and no padding.

    Returns: bool [N, H, W].
    """
    same = (own["mask1"] == own["mask2"]).squeeze(1)
    return same & paste(own["valid"], source["valid"], own["mask1"])


def dropout_streams(model, probability, streams=1):
    """Perturbations of a network's features: whole channels, in any mode.

    Returns: list of `streams` callables, for `perturb` of the network.
    Raises: ConfigError if the network has no features to perturb.
    """
    check_features(model, "perturb")
    return [functools.partial(F.dropout2d, p=probability)] * streams

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""From logits to labels, and to the pixels whose label is trusted."""

import functools
import math

import paddle
import paddle.nn.functional as F


@paddle.no_grad()
def hard_label(logits):
    """The most likely class: [N, C, H, W] to int64 [N, H, W], no gradient."""
    return logits.detach().argmax(axis=1)


@paddle.no_grad()
def agreement(label1, label2):
    """Share of equal pixels of two label maps [N, H, W], in [0, 1]."""
    return (label1 == label2).astype("float32").mean()


@paddle.no_grad()
def confidence(logits):
    """Largest softmax probability of each pixel and its class, no gradient.

    Args:
        logits (Tensor): [N, C, H, W] float32.

    Returns: (float32 [N, H, W] in (0, 1], int64 [N, H, W] in [0, C)).
    """
    probability = F.softmax(logits.detach(), axis=1)
    return probability.max(axis=1), probability.argmax(axis=1)


@paddle.no_grad()
def sure_labels(logits, threshold):
    """Labels, and whether each has at least a probability.

    Args:
        logits (Tensor): [N, C, H, W] float32.
        threshold (float): in [0, 1].

    Returns: (int64 [N, H, W], bool [N, H, W]).
    """
    conf, label = confidence(logits)
    return label, conf >= threshold


@paddle.no_grad()
def class_relative_selection(logits, *, floor=0.92, fraction=0.96):
    """Pixels nearly as sure of a class as that class' surest pixel.

    In each image, and for each class whose largest probability m exceeds
    `floor`, the pixels of probability above `fraction` * m are selected; a
    class that stays below selects nothing. Padding takes part in m.

    Args:
        logits (Tensor): [N, C, H, W] float32.
        floor, fraction (float): in [0, 1]; with floor * fraction >= 0.5 at
            most one class selects a pixel.

    Returns: bool [N, H, W].
    Source: DSSN's class-aware selection, in the release's form: no quantile
        and no ratio, and both comparisons strict.
    """
    probability = F.softmax(logits.detach(), axis=1)
    largest, threshold = class_thresholds(probability, floor, fraction)
    return (probability > threshold).any(axis=1)


def class_thresholds(probability, floor, fraction):
    """Largest probability of each class and image, and what selects.

    Args:
        probability (Tensor): [N, C, H, W] float32 in [0, 1].

    Returns: two float32 [N, C, 1, 1].
    """
    largest = probability.max(axis=[2, 3], keepdim=True)
    return largest, paddle.where(largest > floor, fraction * largest, largest)


def selector(name, *, floor, fraction, conf_thresh):
    """The rule of a name: logits [N, C, H, W] to bool [N, H, W].

    Args:
        name (str): "class_relative" (`floor`, `fraction`) or "threshold"
            (a probability of at least `conf_thresh`).
    """
    if name == "class_relative":
        return functools.partial(class_relative_selection, floor=floor,
                                 fraction=fraction)
    return lambda logits: confidence(logits)[0] >= conf_thresh


def selected_share(selected, valid):
    """Share of the valid pixels that are selected: scalar in [0, 1].

    Args:
        selected, valid (Tensor): bool [N, H, W].
    """
    count = valid.astype("float32").sum()
    return (selected & valid).astype("float32").sum() / count.clip(min=1.0)


def sigmoid_ramp(it, length):
    """exp(-5 (1 - it / length)^2), from 0.0067 up to 1 at `length`."""
    return math.exp(-5 * max(0.0, 1 - it / length)**2)


WEIGHTS = ("threshold_uniform", "confidence_power", "sigmoid", "none")


@paddle.no_grad()
def pixel_weight(name, conf, it, *, conf_thresh, ramp_iters, power=6):
    """How much each pixel's pseudo-label counts.

    Args:
        name (str): "threshold_uniform": for all pixels the share of the
            batch that reaches `conf_thresh`; "confidence_power": conf to the
            `power`; "sigmoid": `sigmoid_ramp` over `ramp_iters`; or "none".
        conf (Tensor): [N, H, W] float32 in [0, 1].
        it (int): iteration, from 0.

    Returns: float32 [N, H, W], a scalar Tensor, or a float; in [0, 1].
    Source: the ClassMix and CTT releases.
    """
    if name == "threshold_uniform":
        return (conf >= conf_thresh).astype(conf.dtype).mean()
    if name == "confidence_power":
        return conf**power
    return sigmoid_ramp(it, ramp_iters) if name == "sigmoid" else 1.0

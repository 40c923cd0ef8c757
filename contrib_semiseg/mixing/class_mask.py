# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Masks of randomly chosen classes (ClassMix): presence, choice, mask."""

import paddle


def classes_present(label, num_classes):
    """Which classes an image shows: bool [N, C].

    Args:
        label (Tensor): int64 [N, H, W]; values outside [0, C) are no class.
    """
    classes = paddle.arange(num_classes).reshape([1, -1])
    return paddle.stack([(image.flatten().unsqueeze(1) == classes).any(axis=0)
                         for image in label])


def choose_half(present, draws):
    """Choose floor(K / 2) of an image's K classes, all equally likely.

    Args:
        present (Tensor): bool [N, C], see `classes_present`.
        draws (Tensor): float32 [N, C], independent and uniform in [0, 1): the
            classes of the smallest ones are chosen.

    Returns: bool [N, C].
    Source: Olsson et al., ClassMix (arXiv 2007.07936).
    """
    draws = paddle.where(present, draws, paddle.full_like(draws, 2.0))
    place = draws.argsort(axis=1).argsort(axis=1)
    return place < present.astype("int64").sum(axis=1, keepdim=True) // 2


def class_mask(label, chosen):
    """Where an image shows one of its chosen classes.

    Args:
        label (Tensor): int64 [N, H, W]; values outside [0, C) never count.
        chosen (Tensor): bool [N, C].

    Returns: bool [N, 1, H, W].
    """
    classes = chosen.shape[1]
    known = (label >= 0) & (label < classes)
    index = paddle.where(known, label, paddle.zeros_like(label))
    found = paddle.take_along_axis(chosen.astype("uint8"), index.flatten(1), 1)
    return (found.reshape(label.shape).astype("bool") & known).unsqueeze(1)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Contrast of pixels with their class' mean and with unreliable pixels.

Pixels are those of the score maps; a class mask is bool [N, C, h, w]. The
first `labeled` images of a batch have labels, the others pseudo-labels.
"""

import paddle
import paddle.nn.functional as F

_EPS = 1e-8  # least length of a feature


def nearest(maps, size):
    """Shrink [N, H, W] to `size` (h, w): row i is row floor(i H / h)."""
    for axis, length in zip((1, 2), size):
        index = paddle.arange(length) * maps.shape[axis] // length
        maps = paddle.index_select(maps, index, axis=axis)
    return maps


def class_masks(label, num_classes, ignore_index=255, merged=False):
    """Which classes the pixels of each image belong to.

    Args:
        label (Tensor): int64 [N, h, w] in [0, C) or `ignore_index`.
        merged (bool): as in the U2PL release: all images' classes are written
            into the first image (those ignored in another image as class 0),
            and the other images have none.

    Returns: bool [N, C, h, w], False where ignored; of `merged` masks, where
        the first image is.
    """
    used = label != ignore_index
    if merged:
        label = paddle.where(used, label, paddle.zeros_like(label))
        used = used & (paddle.arange(len(label)) == 0).reshape([-1, 1, 1])
    classes = paddle.arange(num_classes).reshape([1, -1, 1, 1])
    masks = label.unsqueeze(1) == classes
    if merged:
        masks = masks.any(axis=0, keepdim=True)
    return masks & used.unsqueeze(1)


def contrast_masks(label, pseudo_label, entropies, limits, size, *,
                   num_classes, ignore_index=255, merged=False,
                   any_high=False):
    """What the contrast knows of each pixel of the score maps.

    Args:
        label (Tensor): int64 [L, H, W], of the labelled images.
        pseudo_label, entropies (Tensor): int64 and float32 [U, H, W].
        limits (tuple of Tensor): pixels of at most the first entropy are
            low, of at least the second high.
        size (tuple of int): (h, w) of the score maps, see `nearest`.
        num_classes, ignore_index, merged: see `class_masks`, which labelled
            and unlabelled images pass apart.
        any_high (bool): every unlabelled pixel is high.

    Returns: masks bool [L + U, C, h, w]; low and high, bool [L + U, 1, h, w]:
        of labelled images, where there is a label.
    """
    label, pseudo_label, entropies = (
        nearest(x, size) for x in (label, pseudo_label, entropies))
    masks = [class_masks(x, num_classes, ignore_index, merged)
             for x in (label, pseudo_label)]
    known, used = label != ignore_index, pseudo_label != ignore_index
    high = paddle.ones_like(used) if any_high else \
        used & (entropies >= limits[1])
    low = used & (entropies <= limits[0])
    return (paddle.concat(masks), *(
        paddle.concat([known, x]).unsqueeze(1) for x in (low, high)))


def class_pixels(masks):
    """Places of each class' pixels in row-major order of (image, y, x).

    Args:
        masks (Tensor): bool [N, C, h, w].

    Returns: list of C tensors, int64 [n] in [0, N h w).
    """
    flat = masks.transpose([1, 0, 2, 3]).flatten(1)
    # One search for all classes: its size has to be known on the host.
    places = flat.flatten().nonzero().flatten() % flat.shape[1]
    ends = flat.astype("int64").sum(axis=1).cumsum().tolist()
    return [places[start:end] for start, end in zip([0, *ends], ends)]


def pixel_rows(features):
    """Features [N, D, h, w] as rows [N h w, D], row-major (image, y, x)."""
    return features.transpose([0, 2, 3, 1]).flatten(0, 2)


def class_ranks(probability):
    """Place of each class of a pixel, 0 the likeliest: int64 [N, C, h, w]."""
    order = probability.argsort(axis=1, descending=True)
    return order.argsort(axis=1)


def negative_masks(probability, masks, high, labeled, *, low_rank, high_rank,
                   largest=1.0, by_label=True):
    """The pixels that are pushed away from each class.

    Unlabelled ones of high entropy for which the class is neither among the
    `low_rank` likeliest nor beyond `high_rank`.

    Args:
        probability (Tensor): float32 [N, C, h, w], softmax of the teacher.
        masks (Tensor): bool [N, C, h, w], see `class_masks`.
        high (Tensor): bool [N, 1, h, w], high entropy; of labelled images,
            where there is a label.
        labeled (int): images with labels, at the start of the batch.
        low_rank, high_rank (int): ends of the ranks, the second excluded.
        largest (float): the class' probability has to be below it.
        by_label (bool): as in the U2PL release: the pixel's pseudo-label has
            to be the class, and labelled pixels never count. Else (the
            paper) labelled pixels of another class count where the class is
            among the `low_rank` likeliest.

    Returns: bool [N, C, h, w].
    Source: U2PL (arXiv 2203.03884), its unreliable pixels; the condition on
        labels is the release's.
    """
    rank = class_ranks(probability[labeled:])
    between = (rank >= low_rank) & (rank < high_rank)
    if by_label:
        between = between & masks[labeled:]
        wrong = paddle.zeros_like(masks[:labeled])
    else:
        wrong = (class_ranks(probability[:labeled]) < low_rank) & \
            ~masks[:labeled]
    return paddle.concat([wrong, between]) & high & (probability < largest)


@paddle.no_grad()
def class_means(features, masks):
    """Mean feature of each class: float32 [C, D], zeros for an empty mask.

    Args:
        features (Tensor): float32 [N, D, h, w].
        masks (Tensor): bool [N, C, h, w].
    """
    share = masks.astype(features.dtype).flatten(2)
    total = paddle.matmul(share, features.detach().flatten(2),
                          transpose_y=True).sum(axis=0)
    return total / share.sum(axis=[0, 2]).clip(min=1.0).unsqueeze(1)


def prototype_contrast(anchors, positive, negatives, temperature):
    """-log of the positive's share among exp(cosine / temperature).

    Args:
        anchors (Tensor): float32 [Q, D]; the only input with a gradient.
        positive (Tensor): float32 [D], of all anchors.
        negatives (Tensor): float32 [Q, M, D], of each anchor its own.
        temperature (float): > 0.

    Returns: scalar, nats per anchor, in (0, ln(M + 1) + 2 / temperature).
    Source: the contrastive term of U2PL (arXiv 2203.03884).
    """
    anchors = F.normalize(anchors, axis=1, epsilon=_EPS)
    positive = F.normalize(positive.detach(), axis=0, epsilon=_EPS)
    negatives = negatives.detach()
    # Dividing the products spares a second tensor as large as `negatives`.
    length = negatives.square().sum(axis=2).sqrt().clip(min=_EPS)
    others = paddle.bmm(negatives, anchors.unsqueeze(2)).squeeze(2) / length
    cosine = paddle.concat([(anchors * positive).sum(axis=1, keepdim=True),
                            others], axis=1)
    return -F.log_softmax(cosine / temperature, axis=1)[:, 0].mean()

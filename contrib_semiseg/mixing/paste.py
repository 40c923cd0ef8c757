# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Pasting one batch into another through a mask."""

import paddle


def paste(own, other, mask):
    """Return `own` with `other` inside the mask.

    Args:
        own, other (Tensor): [N, K, H, W] or [N, H, W], same shape and dtype:
            images, logits, labels, confidences or valid masks.
        mask (Tensor): [N, 1, H, W], 0 or 1 of any dtype (or bool).

    Returns: Tensor like `own`: own*(1-mask) + other*mask, exactly.
    Raises: ValueError if shapes do not fit.
    Source: CutMix (ICCV 2019) eq. 1; for logits, CPS (CVPR 2021) section 3.3.
    """
    if own.shape != other.shape or own.shape[-2:] != mask.shape[-2:]:
        raise ValueError(f"paste: own {own.shape}, other {other.shape} and "
                         f"mask {mask.shape} do not fit")
    mask = mask.astype("bool")
    if own.ndim == 3:
        mask = mask.squeeze(1)
    return paddle.where(mask, other, own)


def paste_next(batch, mask):
    """Return the batch with the next image inside the mask of each.

    After the last image comes the first one.

    Args:
        batch (Tensor): [N, K, H, W] or [N, H, W], see `paste`.
        mask (Tensor): [N, 1, H, W], see `paste`.
    """
    return paste(batch, paddle.roll(batch, -1, axis=0), mask)


def cut_out(batch, mask, value):
    """Return the batch with `value` inside the mask.

    Args:
        batch, mask (Tensor): see `paste_next`.
        value (int or float): of the dtype of the batch.
    """
    return paste(batch, paddle.full_like(batch, value), mask)

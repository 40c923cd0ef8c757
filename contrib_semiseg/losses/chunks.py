# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Functions of many rows, computed some rows at a time."""

import paddle


def in_chunks(function, size, *rows):
    """Tensors of `function`, applied to `size` rows at once and put together.

    In full precision: sums over a memory are no matter for half of it.

    Args:
        function (callable): tensors [m, ...] to a tuple of tensors [m, ...].
        size (int): most rows at once.
        rows (Tensor): [n, ...], n >= 1; its arguments.

    Returns: list of Tensor [n, ...].
    """
    with paddle.amp.auto_cast(enable=False):
        parts = [function(*(x[start:start + size] for x in rows))
                 for start in range(0, len(rows[0]), size)]
    return [paddle.concat(part) for part in zip(*parts)]

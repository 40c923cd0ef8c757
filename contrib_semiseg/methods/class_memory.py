# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A memory of features for each class."""

import paddle
from paddle import nn

from contrib_semiseg.losses.prototype_contrast import class_pixels, pixel_rows
from contrib_semiseg.methods.memory import RowQueue, gather_rows


class ClassMemory(nn.Layer):
    """A queue of features for each class, equal in all processes.

    Args:
        capacities (list of int): rows of each class.
        width (int): D, numbers in a feature.
        device (str, optional): see `RowQueue`.
    """

    def __init__(self, *, capacities, width, device=None):
        super().__init__()
        self.queues = nn.LayerList([
            RowQueue(capacity=rows, device=device,
                     columns={"feature": ([width], "float32")})
            for rows in capacities])

    @paddle.no_grad()
    def append(self, features, masks):
        """Add the masked pixels' features to their classes.

        Those of process 0 come first; each process' in the order of (image,
        y, x).

        Args:
            features (Tensor): float32 [N, D, h, w].
            masks (Tensor): bool [N, C, h, w].
        """
        self.add(pixel_rows(features), class_pixels(masks))

    @paddle.no_grad()
    def add(self, rows, pixels):
        """Add rows to the classes, in the given order; see `append`.

        Args:
            rows (Tensor): float32 [n, D].
            pixels (list of Tensor): for each class int64 [k] in [0, n).
        """
        for queue, places in zip(self.queues, pixels):
            # No more of them can stay.
            places = places[-queue.capacity:]
            queue.append(feature=gather_rows(paddle.gather(rows, places)))

    def fill(self):
        """Share of all rows that are there: scalar in [0, 1]."""
        rows = paddle.concat([queue.appended.clip(max=queue.capacity)
                              for queue in self.queues])
        return rows.sum().astype("float32") / sum(
            queue.capacity for queue in self.queues)

    def rows(self):
        """All classes' features, oldest first, where all have as many.

        Returns: float32 [C, R, D].
        """
        return paddle.stack([queue.rows("feature") for queue in self.queues])

    def note(self):
        """One line about its size."""
        rows = sum(queue.capacity for queue in self.queues)
        size = sum(queue.megabytes for queue in self.queues)
        return (f"memory: {len(self.queues)} classes, at most {rows} rows of "
                f"{self.queues[0].feature.shape[1]} numbers, {size:.1f} MiB, "
                "all taken from the start")

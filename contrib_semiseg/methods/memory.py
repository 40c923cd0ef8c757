# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Memories of rows that outlive a step: buffers of a method.

The only place of `methods/` where processes talk to each other.
"""

import numpy as np
import paddle
from paddle import distributed as dist
from paddle import nn


class RowQueue(nn.Layer):
    """The newest `capacity` rows of one or more columns, first in first out.

    All memory is taken at once, on the device, and never grows: the rows go
    round in a ring. They are buffers, so a checkpoint holds them.

    Args:
        capacity (int): rows that are kept.
        columns (dict): name -> (shape of one row, dtype), for example
            {"feature": ([256], "float32"), "label": ([], "int64")}.
        device (str, optional): "cpu" keeps the columns in host memory, so
            that rows are copied there and back; None: where all else is.
    """

    def __init__(self, *, capacity, columns, device=None):
        super().__init__()
        self.capacity, self.columns = capacity, tuple(columns)
        for name, (shape, dtype) in columns.items():
            column = paddle.zeros([capacity, *shape], dtype)
            self.register_buffer(name, column.cpu() if device == "cpu" else
                                 column)
        # Rows appended so far, which also says where the ring starts.
        self.register_buffer("appended", paddle.zeros([1], "int64"))

    def __len__(self):
        return min(int(self.appended), self.capacity)

    @property
    def megabytes(self):
        """Size of the buffers, full or not."""
        return sum(getattr(self, name).size * getattr(self, name).element_size()
                   for name in self.columns) / 2**20

    def note(self):
        """One line about its size."""
        return (f"memory: at most {self.capacity} rows, "
                f"{self.megabytes:.1f} MiB, all taken from the start")

    @paddle.no_grad()
    def append(self, **rows):
        """Add rows [n, ...] to every column; the oldest make room.

        No gradient flows to them. Of more than `capacity` the last stay.
        """
        if set(rows) != set(self.columns):
            raise ValueError(f"RowQueue.append: got {sorted(rows)}, its "
                             f"columns are {sorted(self.columns)}")
        total = int(self.appended)
        count = len(rows[self.columns[0]])
        kept = min(count, self.capacity)
        start = (total + count - kept) % self.capacity
        until_end = min(kept, self.capacity - start)
        for name, values in rows.items():
            if len(values) != count:
                raise ValueError(f"RowQueue.append: {name} has {len(values)} "
                                 f"rows, the others {count}")
            column = getattr(self, name)
            values = values.detach()[count - kept:].to(column.place)
            if until_end:
                column[start:start + until_end] = values[:until_end]
            if kept > until_end:
                column[:kept - until_end] = values[until_end:]
        self.appended[0] = total + count

    def _first(self):
        total = int(self.appended)
        return total % self.capacity if total > self.capacity else 0

    def rows(self, name):
        """A column [len, ...], oldest first."""
        column, first = getattr(self, name), self._first()
        if first:
            return paddle.concat([column[first:], column[:first]])
        return column[:len(self)]

    def take(self, name, indices):
        """Rows of a column by age, 0 the oldest.

        Args:
            indices (Tensor): int64 [n] in [0, len).
        """
        column = getattr(self, name)
        places = (indices + self._first()) % self.capacity
        rows = paddle.gather(column, places.to(column.place))
        return rows.to(indices.place)


def restart_if_resized(queue, name, state):
    """Empty a checkpoint's queue where this run's has another capacity.

    Args:
        queue (RowQueue): this run's.
        name (str): under which the method holds it.
        state (dict): the checkpoint's arrays by name; changed in place.

    Returns: list of the line that says so; empty if nothing was changed.
    """
    kept = state.get(f"{name}.{queue.columns[0]}")
    if kept is None or len(kept) == queue.capacity:
        return []
    for column in (*queue.columns, "appended"):
        own = getattr(queue, column).numpy()
        state[f"{name}.{column}"] = np.zeros_like(own)
    return [f"{name} starts empty: that of the checkpoint has {len(kept)} "
            f"rows, this run's has {queue.capacity} (another number of "
            "processes, batch_size or selection)"]


def processes():
    """Number of processes whose rows `gather_rows` joins."""
    return dist.get_world_size()


@paddle.no_grad()
def gather_rows(rows):
    """Rows of all processes in the order of their ranks, without gradient.

    Args:
        rows (Tensor): [n, ...], n may differ between the processes.

    Returns: Tensor [sum of n, ...]; `rows` itself, detached, of one process.
    """
    rows = rows.detach()
    if processes() == 1:
        return rows
    counts = []
    dist.all_gather(counts, paddle.to_tensor([len(rows)], dtype="int64"))
    counts = [int(count) for count in counts]
    longest = max(counts)
    if not longest:
        return rows
    padding = paddle.zeros([longest - len(rows), *rows.shape[1:]], rows.dtype)
    gathered = []
    dist.all_gather(gathered, paddle.concat([rows, padding]))
    return paddle.concat([part[:count] for part, count in
                          zip(gathered, counts)])

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by the launcher in each process: checks that need a group.

    two_processes.py [SECONDS that process 0 works while the other waits]
"""

import sys
import time

from contrib_semiseg import environment

environment.prepare()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
from paddle import nn  # noqa: E402

from contrib_semiseg.engine import distributed  # noqa: E402
from contrib_semiseg.methods.memory import gather_rows  # noqa: E402


def averaged_gradients(rank):
    """A branch unused on one process, and one unused on both."""
    paddle.seed(0)
    both, one, none = (nn.Linear(3, 2) for _ in range(3))
    parameters = [p for layer in (both, one, none)
                  for p in layer.parameters()]
    data = [np.random.default_rng(r).normal(size=(4, 3)).astype("float32")
            for r in range(2)]

    def loss(x, with_one):
        value = (both(x)**2).mean()
        return value + one(x).mean() if with_one else value

    total = sum(loss(paddle.to_tensor(x), r == 0)
                for r, x in enumerate(data)) / 2
    total.backward()
    expected = [None if p.grad is None else p.grad.numpy().copy()
                for p in parameters]
    for p in parameters:
        p.clear_gradient(set_to_zero=False)
    loss(paddle.to_tensor(data[rank]), rank == 0).backward()
    distributed.average_gradients(parameters)
    for p, value in zip(parameters, expected):
        if value is None:
            assert p.grad is None
        else:
            np.testing.assert_allclose(p.grad.numpy(), value, rtol=1e-5,
                                       atol=1e-7)


def averaged_statistics(rank):
    norm = nn.BatchNorm2D(2)
    norm._mean.set_value(np.full(2, rank, "float32"))
    norm.weight.set_value(np.full(2, rank, "float32"))
    distributed.average_statistics(norm)
    np.testing.assert_array_equal(norm._mean.numpy(), 0.5)
    np.testing.assert_array_equal(norm.weight.numpy(), rank)
    distributed.broadcast_state(norm)
    np.testing.assert_array_equal(norm.weight.numpy(), 0.0)


def counters(rank):
    assert distributed.sum_array(np.array([1, rank])).tolist() == [2, 1]
    assert distributed.any_flag(15 * rank) == 15
    distributed.fence()


def gathered_rows(rank):
    """Unequal numbers of rows, none among them, in the order of ranks."""
    for counts in ((2, 3), (0, 2), (0, 0)):
        own = paddle.full([counts[rank], 2], rank, "float32")
        found = gather_rows(own).numpy()
        expected = [[r, r] for r in range(2) for _ in range(counts[r])]
        np.testing.assert_array_equal(
            found, np.reshape(expected, (-1, 2)).astype("float32"))


if __name__ == "__main__":
    distributed.start()
    assert distributed.world() == 2
    if len(sys.argv) > 1:
        if distributed.rank() == 0:
            time.sleep(float(sys.argv[1]))
        distributed.fence()
    for check in (averaged_gradients, averaged_statistics, counters,
                  gathered_rows):
        check(distributed.rank())
        print(f"{check.__name__} passed", flush=True)
    sys.exit(0)

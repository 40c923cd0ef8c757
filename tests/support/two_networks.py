# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by the launcher in each of two processes: every network, one step."""

import sys
import zlib

from contrib_semiseg import environment

environment.prepare()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
from paddle import distributed as dist  # noqa: E402

from tests.golden.build import section  # noqa: E402
from tests.support.networks import distinct, short  # noqa: E402

# Each process has pictures and a dropout of its own.
DATA = [np.random.default_rng(r).normal(size=(2, 3, 33, 49)).astype("float32")
        for r in range(2)]


def loss(net, rank, names):
    """Of the outputs `names` on the pictures of a process."""
    paddle.seed(1 + rank)
    outputs = net(paddle.to_tensor(DATA[rank]), outputs=names)
    return sum((value**2).mean() for value in outputs.values())


def mean_gradients(net, names):
    """The mean of both processes' gradients, found in this one alone.

    Right with BatchNorm too, which has its own statistics in each process.
    """
    for rank in range(2):
        (loss(net, rank, names) / 2).backward()
    result = {name: None if p.grad is None else p.grad.numpy().copy()
              for name, p in net.named_parameters() if not p.stop_gradient}
    net.clear_gradients(set_to_zero=False)
    return result


def assert_same_bits(tensors):
    """Every process has the same numbers."""
    own = paddle.to_tensor([zlib.crc32(t.numpy().tobytes()) for t in tensors])
    first = own.clone()
    dist.broadcast(first, src=0)
    np.testing.assert_array_equal(own.numpy(), first.numpy())


def train(name, steps, changes=None, **options):
    """Steps of a wrapped network, on the gradients that it should have.

    Args:
        name (str): of the catalogue.
        steps (list of list of str): the outputs that each step's loss reads.
        changes (dict, optional): of the `model` section.
        options: of DataParallel.

    Returns: the parts without gradients, for each step.
    """
    paddle.seed(dist.get_rank())  # the wrapper spreads process 0's weights
    net = short(name, **(changes or {}))
    net.train()
    parameters = dict(net.named_parameters())
    wrapper = paddle.DataParallel(net, **options)
    unused = []
    for outputs in steps:
        wanted = mean_gradients(net, outputs)
        # Only these gradients pass through the wrapper.
        loss(wrapper, dist.get_rank(), outputs).backward()
        used = [key for key, value in wanted.items() if value is not None]
        for key in used:
            value = wanted[key]
            np.testing.assert_allclose(
                parameters[key].grad.numpy(), value, rtol=1e-4,
                atol=1e-5 * np.abs(value).max(), err_msg=key)
        assert_same_bits([parameters[key].grad for key in used])
        before = {key: p.numpy().copy() for key, p in
                  net.classifier.named_parameters()}
        paddle.optimizer.SGD(0.1, [parameters[key] for key in used]).step()
        for key, p in net.classifier.named_parameters():
            assert not np.array_equal(p.numpy(), before[key]), key
        assert_same_bits([parameters[key] for key in used])
        net.clear_gradients(set_to_zero=False)
        unused.append({key.split(".")[0] for key in wanted
                       if key not in used})
    print(f"{name} passed", flush=True)
    return unused


def main():
    dist.init_parallel_env()
    assert dist.get_world_size() == 2
    for name in distinct():
        # The one network that has an auxiliary head, on Cityscapes.
        changes = {"aux_index": 2} if name.endswith("u2pl") else {}
        heads = ["logits"]
        if section(name, **changes).get("embedding"):
            heads.append("embedding")
        if "aux_index" in changes:
            heads.append("aux")
        # All heads are asked for, so that no parameter is unused.
        assert train(name, [heads], changes) == [set()]
    # A head that no loss reads at first: DataParallel must look at each step
    # for what is unused.
    unused = train("deeplabv3plus_resnet50_cac",
                   [["logits"], ["logits", "embedding"]],
                   find_unused_parameters=True)
    assert unused == [{"embedding"}, set()]


if __name__ == "__main__":
    main()
    sys.exit(0)

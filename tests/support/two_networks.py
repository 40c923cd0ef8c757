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


def train(name, outputs=None, changes=None, **options):
    """One step of a wrapped network, on the gradients that it should have.

    Args:
        name (str): of the catalogue.
        outputs (list of str, optional): that the loss reads; None reads the
            logits and all heads.
        changes (dict, optional): of the `model` section.
        options: of DataParallel.

    Returns: names of the trainable parameters without a gradient.
    """
    paddle.seed(0)
    net = short(name, **(changes or {}))
    net.train()
    outputs = outputs or ["logits"] + [
        head for head in ("embedding", "aux")
        if getattr(net, head) is not None]
    wanted = mean_gradients(net, outputs)
    # The wrapper must outlive the backward pass.
    wrapper = paddle.DataParallel(net, **options)
    loss(wrapper, dist.get_rank(), outputs).backward()
    parameters = dict(net.named_parameters())
    used = [key for key, value in wanted.items() if value is not None]
    for key, value in wanted.items():
        if value is None:
            assert parameters[key].grad is None, key
            continue
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
    print(f"{name} passed", flush=True)
    return [key for key in wanted if key not in used]


def main():
    dist.init_parallel_env()
    assert dist.get_world_size() == 2
    for name in distinct():
        # The one network that has an auxiliary head, on Cityscapes.
        aux = {"aux_index": 2} if name.endswith("u2pl") else None
        # All heads are asked for, so that no parameter is unused.
        assert not train(name, changes=aux)
    # A head that is not asked for: without the option, DataParallel would
    # leave the gradients of this step unsynchronised and not say so.
    unused = train("deeplabv3plus_resnet50_cac", ["logits"],
                   find_unused_parameters=True)
    assert {key.split(".")[0] for key in unused} == {"embedding"}


if __name__ == "__main__":
    main()
    sys.exit(0)

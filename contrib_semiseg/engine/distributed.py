# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Several processes: averaged gradients, statistics and counters.

Gradients are averaged by hand after the backward pass instead of by
paddle.DataParallel, which leaves them unsynchronised, without an error, in a
step in which some parameter is unused.
"""

import numpy as np
import paddle
from paddle import distributed as dist

# Elements of one all-reduce: large enough to hide its latency.
BUCKET = 8 << 20


def start():
    """Join the process group, if the launcher started several processes."""
    if dist.get_world_size() > 1 and not dist.is_initialized():
        dist.init_parallel_env()


def world():
    """Number of processes."""
    return dist.get_world_size()


def rank():
    """Number of this process, from 0."""
    return dist.get_rank()


def sum_array(array):
    """Sum of a numpy array over the processes (fenced, see `fence`)."""
    if world() == 1:
        return array
    fence()
    tensor = paddle.to_tensor(array)
    dist.all_reduce(tensor)
    return tensor.numpy()


def any_flag(flag):
    """The largest of the processes' small non-negative integers."""
    if world() == 1:
        return flag
    tensor = paddle.to_tensor(np.int32(flag))
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
    return int(tensor)


def _buckets(tensors):
    bucket, size = [], 0
    for tensor in tensors:
        if bucket and (size + tensor.size > BUCKET or
                       tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.size
    if bucket:
        yield bucket


@paddle.no_grad()
def _average(tensors):
    for bucket in _buckets(tensors):
        flat = paddle.concat([t.flatten() for t in bucket])
        dist.all_reduce(flat)
        flat = flat / world()
        start = 0
        for tensor in bucket:
            part = flat[start:start + tensor.size].reshape(tensor.shape)
            paddle.assign(part, tensor)
            start += tensor.size


@paddle.no_grad()
def average_gradients(parameters):
    """Replace each gradient by its mean over the processes.

    A parameter that only some processes used counts as zero in the others;
    one that none used keeps no gradient.
    """
    if world() == 1:
        return
    used = paddle.to_tensor(
        np.array([p.grad is not None for p in parameters], dtype=np.int32))
    dist.all_reduce(used, op=dist.ReduceOp.MAX)
    grads = []
    for parameter, flag in zip(parameters, used.numpy()):
        if not flag:
            continue
        if parameter.grad is None:
            parameter.grad = paddle.zeros_like(parameter)
        grads.append(parameter.grad)
    _average(grads)


def broadcast_state(layer):
    """Give every process the parameters and buffers of process 0."""
    if world() == 1:
        return
    for tensor in layer.state_dict().values():
        dist.broadcast(tensor, src=0)


def synchronize_norms(layer):
    """Let BatchNorm see the batches of all cards; returns the layer.

    Only on several GPUs: Paddle has no such layer for the CPU.
    """
    if world() == 1 or not paddle.get_device().startswith("gpu"):
        return layer
    return paddle.nn.SyncBatchNorm.convert_sync_batchnorm(layer)


def average_statistics(layer):
    """Average BatchNorm's running statistics over the processes.

    Without a synchronised BatchNorm (there is none on the CPU) every process
    has its own; evaluation and checkpoints must not depend on which.
    """
    if world() == 1:
        return
    _average([p for name, p in layer.state_dict().items()
              if name.split(".")[-1] in ("_mean", "_variance")])


def gather_lists(values):
    """The processes' lists of texts in one, in the order of their ranks."""
    if world() == 1:
        return list(values)
    fence()
    found = []
    dist.all_gather_object(found, list(values))
    return [value for part in found for value in part]


_fences = 0


def fence():
    """Wait for all processes, however long one takes.

    A collective on gloo gives up after 30 s; a wait on the TCP store does
    not, so that unequal work (evaluation, checkpoints) ends in one.
    """
    global _fences
    if world() == 1:
        return
    store = paddle.base.core.create_or_get_global_tcp_store()
    _fences += 1
    store.set(f"contrib_semiseg/{_fences}/{rank()}", b"1")
    for other in range(world()):
        store.wait(f"contrib_semiseg/{_fences}/{other}")

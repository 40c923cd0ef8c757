# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Several processes: averaged gradients, statistics and counters; errors.

Gradients are averaged by hand after the backward pass instead of by
paddle.DataParallel, which leaves them unsynchronised, without an error, in a
step in which some parameter is unused.
"""

import contextlib
import os
import signal
import time
import traceback

import numpy as np
import paddle
from paddle import distributed as dist

from contrib_semiseg.cvlibs.errors import UserError
from contrib_semiseg.engine import common_store
from contrib_semiseg.engine.common_store import LostProcess

# Elements of one all-reduce: large enough to hide its latency.
BUCKET = 8 << 20
_PAUSES = (0.001, 0.1)  # seconds between two looks, first and longest
_TALK = f"{os.sep}paddle{os.sep}distributed{os.sep}"


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


def has_synchronized_norms():
    """Whether BatchNorm can see the images of all processes.

    Paddle has such a layer for GPUs alone.
    """
    return paddle.get_device().startswith("gpu")


def synchronize_norms(layer):
    """Let BatchNorm see the batches of all GPUs; returns the layer.

    Names and values of its parameters stay.
    """
    if world() == 1 or not has_synchronized_norms():
        return layer
    return paddle.nn.SyncBatchNorm.convert_sync_batchnorm(layer)


def average_statistics(layer):
    """Average BatchNorm's running statistics over the processes.

    Where it sees the images of its own process alone (on a CPU), its
    statistics are those of them too. They are averaged in every step, so that
    all processes have the same network and a checkpoint is that of each.
    """
    if world() == 1:
        return
    _average([getattr(norm, name) for norm in layer.sublayers(
                  include_self=True) if not isinstance(
                      norm, paddle.nn.SyncBatchNorm)
              for name in ("_mean", "_variance") if hasattr(norm, name)])


def gather_lists(values):
    """The processes' lists of texts in one, in the order of their ranks."""
    if world() == 1:
        return list(values)
    fence()
    found = []
    dist.all_gather_object(found, list(values))
    return [value for part in found for value in part]


def agree(**facts):
    """Refuse to begin where processes would not do the same.

    Args:
        facts: text or number of what has to be equal on all of them.
    Raises: UserError on all of them, naming the first that is not.
    """
    own = [f"{name.replace('_', ' ')}: {fact}" for name, fact in
           facts.items()]
    found = gather_lists(own)
    for k, mine in enumerate(found[:len(own)]):
        for other in range(1, world()):
            theirs = found[other * len(own) + k]
            if theirs != mine:
                raise UserError(
                    f"the processes do not agree: process 0 has {mine}; "
                    f"process {other} has {theirs}; allowed: the same files "
                    "on all machines, and one save_dir that they share")


_fences = 0


def fence():
    """Wait for all processes, however long one takes.

    A collective on gloo gives up after 30 s; a look at the common store does
    not, so that unequal work (evaluation, checkpoints) ends in one.

    Raises: LostProcess if one of them tells an error or goes silent
        meanwhile.
    """
    global _fences
    if world() == 1:
        return
    _fences += 1
    _wait_for(f"arrived/{_fences}", world())
    # Process 0 keeps the store and so is the last to go on.
    if rank() == 0:
        _wait_for(f"left/{_fences}", world())
    else:
        common_store.count(f"left/{_fences}", 1)


def _wait_for(key, number):
    """Count oneself and wait until `number` are there."""
    pause, watch = _PAUSES[0], common_store.Watch()
    arrived = common_store.count(key, 1)
    while arrived < number:
        error = common_store.heard()
        if error:
            raise error
        watch.look()
        time.sleep(pause)
        pause = min(2 * pause, _PAUSES[1])
        arrived = common_store.count(key)


def _cannot_talk(error):
    """Whether an error arose where processes talk to each other."""
    files = [f.filename for f in traceback.extract_tb(error.__traceback__)]
    return isinstance(error, (RuntimeError, OSError, ValueError)) and (
        files[-1] in (__file__, common_store.__file__) or
        any(_TALK in name for name in files))


def _on_terminate(number, frame):
    """Answer the launcher, which ends the others when one process fails."""
    raise common_store.heard() or SystemExit(128 + number)


@contextlib.contextmanager
def one_for_all(*together):
    """Inside, an error of one process ends all, with its own words.

    That process raises it as it is. The others fail where they next talk to
    it, and raise LostProcess instead of what that gives.

    Args:
        together: errors that all processes raise by themselves.
    """
    if world() == 1 or not dist.is_initialized():
        yield
        return
    before = signal.signal(signal.SIGTERM, _on_terminate)
    signal.siginterrupt(signal.SIGTERM, False)
    listener = common_store.Listener()
    try:
        yield
    except together:
        raise
    except Exception as error:
        # The end is near, and the launcher need not hasten it.
        before = signal.SIG_IGN
        signal.signal(signal.SIGTERM, before)
        if not isinstance(error, UserError) and _cannot_talk(error):
            raise listener.last_words() from error
        if not isinstance(error, LostProcess):
            text, status = (str(error), error.status) if isinstance(
                error, UserError) else (
                    f"{type(error).__name__}: {error} (traceback in its "
                    f"workerlog.{rank()})", 1)
            listener.tell(text, status)
        raise
    finally:
        listener.close()
        signal.signal(signal.SIGTERM, before)

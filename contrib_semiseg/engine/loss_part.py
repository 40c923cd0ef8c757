# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a step costs beside its networks: losses, mixing, memories.

The networks answer at once with random tensors of the right shapes, so a
step at a published size fits where its networks would not. What they would
cost comes from one image, times the images that the step shows them.
"""

import copy
import dataclasses
import statistics
import time

import numpy as np
import paddle

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.engine.inference import eval_mode
from contrib_semiseg.engine.trained import without_pretrained
from contrib_semiseg.engine.trainer import seed_step

_HOST = ("Allocated", 0)  # Paddle's counter of the tensors on the host
_LABEL_CELL = 32  # side of a patch of one class in a made-up label, pixels


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one step.

    Attributes:
        pixels (int): of the unlabelled images, or the labelled ones alone.
        seconds (float): forward and backward, without the networks.
        network_seconds (float): of the networks, see the module.
        bytes (int): peak of the tensors beyond what the networks gave, the
            batch and the memories; gradients included.
    """

    pixels: int
    seconds: float
    network_seconds: float
    bytes: int

    @property
    def share(self):
        """Of the step, in [0, 1]."""
        return self.seconds / (self.seconds + self.network_seconds)


def _on_gpu():
    return paddle.get_device().startswith("gpu")


def _now():
    if _on_gpu():
        paddle.device.synchronize()
    return time.perf_counter()


def _allocated():
    return (paddle.device.cuda.memory_allocated() if _on_gpu() else
            paddle.base.core.host_memory_stat_current_value(*_HOST))


def _peak():
    return (paddle.device.cuda.max_memory_allocated() if _on_gpu() else
            paddle.base.core.host_memory_stat_peak_value(*_HOST))


def _forget_peak():
    if _on_gpu():
        paddle.device.cuda.reset_max_memory_allocated()
    else:
        paddle.base.core.host_memory_stat_reset_peak_value(*_HOST)


class Replay:
    """Stands in for a network's forward pass.

    The n-th call of a step always gets the same tensors; they have a gradient
    where the network's answer would.

    Args:
        network (Layer): its `forward` is replaced.
    """

    def __init__(self, network):
        self.network, self.real = network, network.forward
        self.answers, self.asked = [], []
        network.forward = self.forward

    def forward(self, x, outputs=None, perturb=()):
        turn = len(self.asked)
        self.asked.append((x[:1], outputs, paddle.is_grad_enabled(), len(x)))
        if turn == len(self.answers):
            rows = len(x) * (1 + len(perturb))
            self.answers.append(_map(self._example(x[:1], outputs),
                                     lambda t: _like(t, rows)))
        return self.answers[turn]

    def _example(self, x, outputs):
        with eval_mode(self.network), paddle.no_grad():
            return self.real(x) if outputs is None else \
                self.real(x, outputs=outputs)

    def next_step(self):
        """Forget the gradients; the next call is the first of a step."""
        self.asked = []
        for answer in self.answers:
            _map(answer, lambda t: t.clear_gradient(set_to_zero=False))

    def cost(self):
        """Seconds of the real passes of the last step."""
        total, known = 0.0, {}
        for x, outputs, learns, rows in self.asked:
            key = (tuple(x.shape), tuple(outputs or ()), learns)
            if key not in known:
                known[key] = self._seconds(x, outputs, learns)
            total += rows * known[key]
        return total

    def _seconds(self, x, outputs, learns):
        begun = _now()
        with eval_mode(self.network), paddle.set_grad_enabled(learns):
            found = self.real(x) if outputs is None else \
                self.real(x, outputs=outputs)
        if learns:
            sums = []
            _map(found, lambda t: sums.append(t.sum()))
            sum(sums).backward()
            self.network.clear_gradients(set_to_zero=False)
        return _now() - begun


def _map(found, function):
    """Apply to every tensor of an answer: a list, or a dict of them."""
    if isinstance(found, dict):
        return {k: _map(v, function) for k, v in found.items()}
    if isinstance(found, (list, tuple)):
        return [_map(v, function) for v in found]
    return function(found)


def _like(example, rows):
    value = paddle.randn([rows, *example.shape[1:]], example.dtype) * float(
        example.std()) + float(example.mean())
    value.stop_gradient = False
    return value


def made_up_batch(requires, *, count, side, num_classes, crops=None, seed=0):
    """A batch of noise with the keys that a method reads.

    Args:
        requires (sequence of str): see `Method`.
        count, side (int): images of each stream, and their side in pixels.
        num_classes (int): labels are patches of random classes.
        crops (optional): of the views, see the registry CROPS.

    Returns: dict stream -> key -> Tensor.
    """
    rng, batch = np.random.default_rng(seed), {}
    pairs = [crops.geometry(crops.draw(rng, 2 * side, 2 * side), 2 * side,
                            2 * side) for _ in range(count)] if crops else []
    views = sorted({k.split(".")[1].split("_")[0] for k in requires
                    if k.split("_")[-1] in getattr(crops, "adds", ())})
    for key in requires:
        stream, name = key.split(".", 1)
        view, _, fact = name.partition("_")
        if fact and view in views:
            value = np.stack([pair[views.index(view)][fact]
                              for pair in pairs])
        elif name == "label":
            cells = -(-side // _LABEL_CELL)
            value = rng.integers(num_classes, size=(count, cells, cells))
            value = value.repeat(_LABEL_CELL, 1).repeat(_LABEL_CELL, 2)[
                :, :side, :side]
        elif name == "valid":
            value = np.ones((count, side, side), bool)
        elif name.startswith("mask"):
            draw = manager.MASKS["RatioBoxMask"](prob=1.0)
            value = np.stack([draw(rng, side, side) for _ in range(count)])
        else:
            value = rng.normal(size=(count, 3, side, side)).astype("float32")
        batch.setdefault(stream, {})[name] = paddle.to_tensor(value)
    return batch


def _at_side(config, side):
    config = copy.deepcopy(config)
    config.tree["model"] = without_pretrained(config.tree["model"])
    crops = config.get("unlabeled_dataset.crops")
    if crops:
        crops["crop_size"] = [side, side]
    return config


def measure(config, side, *, step, repeat=3):
    """The cost of a method's step on square crops.

    Args:
        config (Config): checked; its data is not looked for.
        side (int): of the crops, pixels.
        step (Step): the step of a run that is measured.
        repeat (int): measured steps; the median counts.

    Returns: Cost.
    """
    config = _at_side(config, side)
    builder, networks = Builder(config), []
    make = builder.make_model

    def keep():
        networks.append(make())
        return networks[-1]

    builder.make_model = keep
    seed_step(0, 0)
    method = builder.method()
    replays = [Replay(network) for network in networks]
    method.train()
    batch = made_up_batch(
        method.requires, count=config.get("batch_size"), side=side,
        num_classes=builder.num_classes, crops=builder.crops())
    seconds, peaks = [], []
    for k in range(1 + repeat):  # the first one allocates
        for replay in replays:
            replay.next_step()
        seed_step(0, k)
        _forget_peak()
        before, begun = _allocated(), _now()
        method.total_loss(method(batch, step)).backward()
        if k:
            seconds.append(_now() - begun)
            peaks.append(_peak() - before)
    images = batch.get("unlabeled", batch["labeled"])
    return Cost(
        pixels=len(next(iter(images.values()))) * side * side,
        seconds=statistics.median(seconds),
        network_seconds=sum(replay.cost() for replay in replays),
        bytes=max(peaks))

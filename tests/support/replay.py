# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks whose answers are recorded, so that a method's forward is tested."""

import paddle
from paddle import nn


class ReplayNet(nn.Layer):
    """Returns recorded logits call by call; remembers inputs and modes."""

    def __init__(self, *logits):
        super().__init__()
        self.logits, self.inputs, self.modes = list(logits), [], []

    def forward(self, img):
        self.inputs.append(img)
        self.modes.append("train" if self.training else "eval")
        return [self.logits[len(self.inputs) - 1]]


class ReplaySegmentor(ReplayNet):
    """A ReplayNet with the named outputs of a `Segmentor`, sizes as they are.

    The first value of an image is the number of its row: where a call leaves
    rows out, the answer holds those that were asked for.
    """

    def forward(self, img, outputs=None, perturb=()):
        logits, = super().forward(img)
        if len(logits) != len(img) * (1 + len(perturb)):
            rows = img[:, 0, 0, 0].astype("int64")
            logits = paddle.gather(logits, rows)
        return {"scores": logits} if outputs else [logits]

    @staticmethod
    def enlarge(x, size):
        return x


def numbered(count, height, width):
    """Images [count, 3, height, width] that hold their row's number."""
    rows = paddle.arange(count, dtype="float32").reshape([count, 1, 1, 1])
    return rows.expand([count, 3, height, width])


class UnbiasedBatchNorm2D(nn.BatchNorm2D):
    """Averages in the unbiased batch variance, as the references do."""

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        before = self._variance.numpy()
        out = super().forward(x)
        n = x.size // x.shape[1]
        old = self._momentum * before
        self._variance.set_value(
            old + (self._variance.numpy() - old) * n / (n - 1))
        return out


def factory(*networks):
    """A `make_model` that hands out these networks one after the other."""
    waiting = list(networks)
    return lambda: waiting.pop(0)


class MainLogits:
    """A criterion on the first of a network's outputs."""

    def __init__(self, loss):
        self.loss = loss

    def __call__(self, outputs, label):
        return self.loss(outputs[0], label)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks whose answers are recorded, so that a method's forward is tested."""

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

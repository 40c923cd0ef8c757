# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A method of one parameter, whose steps can be followed by hand."""

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.methods.base import Method


class Line(Method):
    """Loss: the mean of w * x, so that the gradient is the mean of x."""

    requires = ("labeled.img",)

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1, bias_attr=False)
        self.net.weight.set_value(np.ones((1, 1), "float32"))
        self.after, self.draws = [], []

    def forward(self, batch, step):
        self.draws.append(float(paddle.rand([1])))
        return {"loss_a": self.net(batch["labeled"]["img"]).mean(),
                "other": paddle.to_tensor(float(step.it))}

    def after_step(self, step):
        self.after.append(step.it)

    def eval_network(self):
        return self.net


def batch(*values):
    """A labelled batch of these numbers."""
    return {"labeled": {"img": paddle.to_tensor(
        np.array(values, "float32")[:, None])}}

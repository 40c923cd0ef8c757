# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/networks.md: how they are found, and one bound."""

import re

import pytest
from paddle import nn

from tests.support import tiny
from tests.support.networks import MODELS
from tools import measure_networks as tool

SMALL = MODELS / "deeplabv3plus_small_resnet.yml"


class Net(nn.Layer):
    """One convolution of each sort and a linear layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2D(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2D(4, 6, 5, padding=2, groups=2)
        self.pool = nn.Linear(6, 7)

    def forward(self, x):
        return self.pool(self.second(self.first(x)).mean([2, 3]))


def test_multiply_adds_by_hand():
    # 5 x 7 places of: 4 filters of 3x3x3, 6 of 5x5x2; then 6 by 7.
    net = Net()
    expected = 5 * 7 * (4 * 27 + 6 * 50) + 42
    assert tool.multiply_adds(net, 9, 13) == expected
    # Nothing is left behind on the layers.
    assert not net.first._forward_post_hooks
    # Other sizes scale with the places.
    assert tool.multiply_adds(net, 18, 26) == 9 * 13 * 408 + 42


def test_parameters_are_the_trainable_ones():
    assert tool.trainable(Net()) == (4 * 27 + 4) + (6 * 50 + 6) + 49
    assert tool.trainable(nn.BatchNorm2D(5)) == 10


def test_a_step_is_measured():
    section = tool.model_section(SMALL)
    # In a process of its own: the peak is that of all a process holds.
    kind, seconds, peak = next(tool.steps(section, 5, [2, 3, 33, 49], 1))
    assert kind == section["type"]
    assert 0 < seconds < 60
    weights = 4 * tool.trainable(tool.build(section, 5))
    # Weights and their gradients at least, and not a hundred times that.
    assert 2 * weights < peak < 200 * weights


def test_tables():
    status, out, err = tiny.run(
        "tools/measure_networks.py", SMALL, "--crop", 64, 96, "--repeat", 0)
    assert status == 0, err
    row = next(line for line in out.splitlines() if "small_resnet" in line)
    assert "backbone 488,784, aspp 258,816" in row
    assert re.search(r"\| 808,389 \| 16 \| 0\.\d \|$", row), row
    assert "64x96" in out and "A step" not in out


@pytest.mark.slow
@pytest.mark.parametrize("base", ["deeplabv3plus_resnet50_cps",
                                  "deeplabv3plus_resnet50_unimatch"])
def test_no_more_memory_than_paddleseg(base):
    """Of a step, on one and the same backbone."""
    section = tool.model_section(MODELS / f"{base}.yml")
    ours, theirs = tool.steps(section, 21, [2, 3, 321, 321], 1)
    assert theirs[0] == "DeepLabV3P"
    assert ours[2] <= 1.1 * theirs[2]

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Convolutions with a stated initial law, and the blocks made of them."""

import functools
import math

import paddle
from paddle import nn

from contrib_semiseg.cvlibs import check

# Laws of initial weights; fans are channels times kernel area.
#   kaiming          N(0, 2 / fan_in)
#   kaiming_fan_out  N(0, 2 / fan_out)
#   uniform          U(-1/sqrt(fan_in), 1/sqrt(fan_in)), torch's default
#   gaussian         N(0, 0.01^2)
INIT = check.OneOf("kaiming", "kaiming_fan_out", "uniform", "gaussian")


def weight_law(init, fan_in, fan_out):
    """The initializer of a law of `INIT` (see above)."""
    if init == "uniform":
        bound = fan_in ** -0.5
        return nn.initializer.Uniform(-bound, bound)
    std = {"kaiming": math.sqrt(2 / fan_in),
           "kaiming_fan_out": math.sqrt(2 / fan_out), "gaussian": 0.01}[init]
    return nn.initializer.Normal(0.0, std)


def conv(in_channels, out_channels, kernel, *, stride=1, dilation=1, groups=1,
         bias=False, init="kaiming"):
    """Convolution padded to ceil(size / stride).

    Args:
        in_channels, out_channels, kernel (int): kernel is odd.
        bias (bool or str): True draws U(-1/sqrt(fan_in), 1/sqrt(fan_in)),
            "zero" starts at 0, False has none.
        init (str): law of the weight, see `INIT`.
    """
    area = kernel * kernel
    fan_in = in_channels // groups * area
    bias_attr = False
    if bias:
        bias_attr = paddle.ParamAttr(
            initializer=nn.initializer.Constant(0.0) if bias == "zero" else
            weight_law("uniform", fan_in, None))
    return nn.Conv2D(
        in_channels, out_channels, kernel, stride=stride,
        padding=kernel // 2 * dilation, dilation=dilation, groups=groups,
        bias_attr=bias_attr,
        weight_attr=paddle.ParamAttr(initializer=weight_law(
            init, fan_in, out_channels // groups * area)))


def batch_norm(*, momentum=0.9, eps=1e-5):
    """Factory, channels to BatchNorm2D; momentum is the old value's share."""
    return functools.partial(nn.BatchNorm2D, momentum=momentum, epsilon=eps)


def dropout_layers(probability, channelwise):
    """List of one dropout layer, or an empty one if nothing is dropped.

    Args:
        probability (float): in [0, 1); survivors grow by 1 / (1 - p).
        channelwise (bool): whole maps of a sample, else single elements.
    """
    if not probability:
        return []
    return [(nn.Dropout2D if channelwise else nn.Dropout)(probability)]


def conv_norm_relu(in_channels, out_channels, kernel, *, norm, separable=False,
                   after=(), **options):
    """Sequence: convolution (depthwise and 1x1, if `separable`), norm, ReLU.

    Args:
        norm (callable): channels to a layer.
        after (list of Layer): appended, for example a dropout.
        options: of `conv`.
    """
    if separable:
        options = {k: v for k, v in options.items() if k != "dilation"}
        layers = [conv(in_channels, in_channels, kernel, groups=in_channels,
                       **options), conv(in_channels, out_channels, 1,
                                        **options)]
    else:
        layers = [conv(in_channels, out_channels, kernel, **options)]
    return nn.Sequential(*layers, norm(out_channels), nn.ReLU(), *after)

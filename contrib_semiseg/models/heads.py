# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Heads beside the classifier: projection, representation, auxiliary."""

from paddle import nn

from contrib_semiseg.models.layers import conv, conv_norm_relu, dropout_layers


def projection_head(in_channels, hidden, out_channels):
    """1x1, ReLU, 1x1, with biases; the result is not normalised.

    Source: CAC (Lai et al., arXiv 2106.14133), training only.
    """
    return nn.Sequential(
        conv(in_channels, hidden, 1, bias=True, init="uniform"), nn.ReLU(),
        conv(hidden, out_channels, 1, bias=True, init="uniform"))


def convolutions(in_channels, hidden, *, bias, drop, drop_channels, norm, init,
                 separable=False):
    """Two 3x3s, each with norm, ReLU and its own dropout.

    Args:
        bias (bool): biases of the 3x3s.
        drop (list of float): dropout after the first and the second.
        drop_channels (list of bool): they drop whole maps.
    """
    options = dict(norm=norm, init=init, bias=bias, separable=separable)
    return nn.Sequential(*[
        conv_norm_relu(width, hidden, 3, after=dropout_layers(p, channelwise),
                       **options)
        for width, p, channelwise in zip((in_channels, hidden), drop,
                                         drop_channels)])


def auxiliary_head(in_channels, hidden, num_classes, *, drop, norm, init):
    """3x3 with bias, norm, ReLU, channel dropout and a 1x1 to the classes."""
    return nn.Sequential(
        conv_norm_relu(in_channels, hidden, 3, norm=norm, init=init,
                       bias=True, after=dropout_layers(drop, True)),
        conv(hidden, num_classes, 1, bias=True, init=init))

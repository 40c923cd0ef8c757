# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Two forms of atrous spatial pyramid pooling.

Chen et al., arXiv 1706.05587 and 1802.02611.
"""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.models.layers import conv, conv_norm_relu, dropout_layers

_SLOPE = 0.01


class ASPP(nn.Layer):
    """Dilated convolutions side by side, each with its own norm and ReLU.

    Args:
        in_channels (int): channels of the backbone's deepest feature.
        out_channels (int): channels of the result.
        hidden (int): channels of each branch.
        rates (list of int): dilations of the 3x3 branches; a 1x1 is first.
        pool_first (bool): the image-level branch is concatenated before the
            others and not after them.
        kernel (int): of the convolution that joins the branches.
        drop (float): probability of the dropout at the end.
        drop_channels (bool): it drops whole maps.
        norm (callable): channels to a layer.
        init (str): law of the convolutions.
    """

    def __init__(self, *, in_channels, out_channels, hidden, rates,
                 pool_first=False, kernel=1, drop=0.0, drop_channels=True,
                 norm, init="kaiming"):
        super().__init__()
        options = dict(norm=norm, init=init)
        self.branches = nn.LayerList(
            [conv_norm_relu(in_channels, hidden, 1, **options)] +
            [conv_norm_relu(in_channels, hidden, 3, dilation=rate,
                            **options) for rate in rates])
        self.pool = conv_norm_relu(in_channels, hidden, 1, **options)
        self.pool_first = pool_first
        self.project = conv_norm_relu(
            hidden * (len(rates) + 2), out_channels, kernel,
            after=dropout_layers(drop, drop_channels), **options)

    def join(self, x):
        """The branches' outputs, concatenated: [N, (R + 2) * hidden, h, w]."""
        maps = [branch(x) for branch in self.branches]
        pooled = self.pool(x.mean(axis=[2, 3], keepdim=True))
        pooled = pooled.expand_as(maps[0])
        maps = [pooled, *maps] if self.pool_first else [*maps, pooled]
        return paddle.concat(maps, axis=1)

    def forward(self, x):
        """[N, in_channels, h, w] -> [N, out_channels, h, w]."""
        return self.project(self.join(x))


class JointNormASPP(nn.Layer):
    """Dilated convolutions side by side, and one norm over all of them.

    The image-level branch is added after the reduction, not concatenated.

    Args:
        in_channels (int): channels of the backbone's deepest feature.
        out_channels (int): channels of the result.
        hidden (int): channels of each branch.
        rates (list of int): dilations of the 3x3 branches; a 1x1 is first.
        norm (callable): channels to a layer.
        init (str): law of the convolutions.

    Source: the releases of CPS (arXiv 2106.01226) and of what grew from it.
    """

    def __init__(self, *, in_channels, out_channels, hidden, rates, norm,
                 init="kaiming"):
        super().__init__()
        self.branches = nn.LayerList(
            [conv(in_channels, hidden, 1, init=init)] +
            [conv(in_channels, hidden, 3, dilation=rate, init=init)
             for rate in rates])
        self.norm = norm(hidden * (len(rates) + 1))
        self.project = conv(hidden * (len(rates) + 1), out_channels, 1,
                            init=init)
        self.pool_conv = conv(in_channels, hidden, 1, init=init)
        self.pool_norm = norm(hidden)
        self.pool_project = conv(hidden, out_channels, 1, init=init)
        self.out_norm = norm(out_channels)

    def forward(self, x):
        """[N, in_channels, h, w] -> [N, out_channels, h, w]."""
        maps = paddle.concat([branch(x) for branch in self.branches], axis=1)
        maps = self.project(self._leaky(self.norm(maps)))
        pooled = self.pool_conv(x.mean(axis=[2, 3], keepdim=True))
        pooled = self.pool_project(self._leaky(self.pool_norm(pooled)))
        return self._leaky(self.out_norm(maps + pooled))

    def _leaky(self, x):
        if self.training:
            return F.leaky_relu(x, _SLOPE)
        # The same numbers; paddle2onnx 2.1.0 loses the slope of leaky_relu.
        return paddle.maximum(x, x * _SLOPE)

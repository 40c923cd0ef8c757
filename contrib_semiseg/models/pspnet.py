# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""PSPNet: averages over a pyramid of bins, read beside the feature."""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.weights import load_pretrained
from contrib_semiseg.models.layers import (
    INIT,
    batch_norm,
    conv,
    conv_norm_relu,
    dropout_layers,
)
from contrib_semiseg.models.segmentor import Segmentor

_COUNT = check.Range(1, integer=True)


class Pyramid(nn.Layer):
    """Adaptive averages, each through 1x1, norm and ReLU, after the input.

    Args:
        in_channels (int): of the feature.
        out_channels (int): of each level; the result has in_channels and
            this for each of `bins`.
        bins (list of int): cells along each side.
        align_corners (bool): of the enlargement of the levels.
        norm (callable): channels to a layer.
        init (str): law of the convolutions.
    """

    def __init__(self, *, in_channels, out_channels, bins, align_corners,
                 norm, init):
        super().__init__()
        self.bins, self.align_corners = list(bins), align_corners
        self.levels = nn.LayerList([
            conv_norm_relu(in_channels, out_channels, 1, norm=norm, init=init)
            for _ in bins])

    def forward(self, x):
        """[N, in_channels, h, w] -> [N, in + bins * out, h, w]."""
        size = x.shape[2:]
        return paddle.concat([x] + [
            F.interpolate(level(F.adaptive_avg_pool2d(x, cells)), size,
                          mode="bilinear", align_corners=self.align_corners)
            for cells, level in zip(self.bins, self.levels)], axis=1)


@manager.register(manager.MODELS)
class PyramidNet(Segmentor):
    """PSPNet; its name leaves PaddleSeg's own `PSPNet` usable.

    Args:
        num_classes (int): classes C.
        backbone (paddle.nn.Layer): has `feat_channels` and returns a list of
            features.
        bins (list of int): cells of the pyramid's levels along a side.
        channels (int): of each level, and of the decoder's feature.
        dropout (float): before the classifier, in training.
        dropout_channels (bool): it drops whole maps, else single elements.
        embedding (str, optional): "projection", two 1x1s on the feature.
        embedding_channels (list of int): hidden and resulting channels.
        aux_index, aux_channels, aux_dropout: as in DeepLabV3Plus.
        backbone_index (int): the feature that is read.
        pyramid_align_corners (bool): of the enlargement of the levels: true
            in ST, false in CAC.
        align_corners (bool): of the enlargement of the logits.
        bn_momentum, bn_eps (float): of all norms outside the backbone.
        init (str): law of the convolutions outside the backbone.
        pretrained (str, optional): weights of the whole network.

    Parts: `backbone`, `pyramid`, `last_conv`, `classifier`, and if asked for
    `embedding` and `aux`.

    Source: Zhao et al., arXiv 1612.01105; without its auxiliary loss in ST
    and CAC.
    """

    @check.arguments
    def __init__(self, *, num_classes: check.Range(2, integer=True), backbone,
                 bins: check.ListOf(_COUNT) = (1, 2, 3, 6),
                 channels: _COUNT = 512,
                 dropout: check.PROBABILITY = 0.0,
                 dropout_channels: check.BOOL = False,
                 embedding: check.OneOf(None, "projection") = None,
                 embedding_channels: check.ListOf(_COUNT, 2) = (512, 128),
                 aux_index: check.Range(0, integer=True,
                                        optional=True) = None,
                 aux_channels: _COUNT = 256,
                 aux_dropout: check.PROBABILITY = 0.1,
                 backbone_index: check.Range(0, integer=True) = 3,
                 pyramid_align_corners: check.BOOL = True,
                 align_corners: check.BOOL = True,
                 bn_momentum: check.PROBABILITY = 0.9,
                 bn_eps: check.Range(0.0, exclude_low=True) = 1e-5,
                 init: INIT = "uniform",
                 pretrained: check.Text(optional=True) = None):
        super().__init__(backbone=backbone, taps=backbone_index,
                         align_corners=align_corners)
        norm = batch_norm(momentum=bn_momentum, eps=bn_eps)
        width = backbone.feat_channels[backbone_index]
        self.pyramid = Pyramid(
            in_channels=width, out_channels=channels, bins=bins,
            align_corners=pyramid_align_corners, norm=norm, init=init)
        self.last_conv = conv_norm_relu(width + channels * len(bins),
                                        channels, 3, norm=norm, init=init)
        self.last_dropout = nn.Sequential(
            *dropout_layers(dropout, dropout_channels))
        self.classifier = conv(channels, num_classes, 1, bias=True, init=init)
        if embedding is not None:
            self.add_projection(channels, embedding_channels)
        self.add_auxiliary(aux_index, num_classes, hidden=aux_channels,
                           drop=aux_dropout, norm=norm, init=init)
        load_pretrained(self, pretrained)

    def decode(self, taps):
        feature = self.last_conv(self.pyramid(taps[0]))
        return feature, feature

    def score(self, feature):
        return self.classifier(self.last_dropout(feature))

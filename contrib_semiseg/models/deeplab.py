# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DeepLabV3+ in the forms in which the methods were published."""

import paddle
from paddle import nn

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.cvlibs.weights import load_pretrained
from contrib_semiseg.models.aspp import ASPP, JointNormASPP
from contrib_semiseg.models.heads import convolutions
from contrib_semiseg.models.layers import (
    INIT,
    batch_norm,
    conv,
    conv_norm_relu,
    dropout_layers,
)
from contrib_semiseg.models.segmentor import Segmentor

_COUNT = check.Range(1, integer=True)


@manager.register(manager.MODELS)
class DeepLabV3Plus(Segmentor):
    """DeepLabV3+: backbone, ASPP, and a decoder on an early feature's size.

    Args:
        num_classes (int): classes C.
        backbone (paddle.nn.Layer): has `feat_channels` and returns a list of
            features.
        aspp (str): "joint_norm", one norm over all branches and the pooled
            branch added (CPS, CTT); or "branch_norm", a norm for each branch
            and the pooled one concatenated (CAC, ST, U2PL, UniMatch, DSSN).
        aspp_rates (list of int): dilations of the 3x3 ASPP branches.
        aspp_channels (int): channels inside ASPP and of its result.
        aspp_pool_first (bool): "branch_norm" only: order of concatenation.
        aspp_kernel (int): "branch_norm" only: of the joining convolution.
        low_channels (int): channels to which an early feature is reduced.
        low_bias (bool): bias of that 1x1.
        low_first (bool): the early features stand before ASPP's result.
        decoder_channels (int): channels of the decoder's feature.
        decoder_bias (bool): biases of the decoder's 3x3s.
        separable (bool): depthwise-separable 3x3s in the decoder.
        dropout (list of float): probabilities after ASPP, after the first
            3x3 and before the classifier, in training.
        dropout_channels (list of bool): each of them drops whole maps of a
            sample, or else single elements. After ASPP, "branch_norm" only.
        embedding (str, optional): "projection", 1x1s on the decoder's
            feature (CAC); or "representation", a second pair of 3x3s and a
            1x1 beside the classifier's (U2PL).
        embedding_channels (list of int): hidden and resulting channels.
        aux_index (int, optional): the backbone's feature that an auxiliary
            classifier reads; its logits are the second output in training.
        aux_channels (int): hidden channels of that classifier.
        aux_dropout (float): its channel dropout.
        backbone_indices (list of int): features used; the last is ASPP's,
            those before it (there may be none) are the early ones, and the
            first sets the decoder's size.
        align_corners (bool): of all bilinear enlargements.
        bn_momentum, bn_eps (float): of all norms outside the backbone.
        init (str): law of the convolutions outside the backbone.
        pretrained (str, optional): weights of the whole network.

    Parts: `backbone`, `aspp`, `reduce`, `last_conv`, `classifier`, and if
    asked for `embedding` and `aux`.

    Source: Chen et al., arXiv 1802.02611; docs/networks.md says which
    arguments give which method's network.
    """

    @check.arguments
    def __init__(self, *, num_classes: check.Range(2, integer=True), backbone,
                 aspp: check.OneOf("joint_norm",
                                   "branch_norm") = "joint_norm",
                 aspp_rates: check.ListOf(_COUNT) = (6, 12, 18),
                 aspp_channels: _COUNT = 256,
                 aspp_pool_first: check.BOOL = False,
                 aspp_kernel: check.OneOf(1, 3) = 1,
                 low_channels: _COUNT = 48,
                 low_bias: check.BOOL = False,
                 low_first: check.BOOL = False,
                 decoder_channels: _COUNT = 256,
                 decoder_bias: check.BOOL = False,
                 separable: check.BOOL = False,
                 dropout: check.ListOf(check.PROBABILITY, 3) = (0, 0, 0),
                 dropout_channels: check.ListOf(check.BOOL, 3) = (
                     True, True, True),
                 embedding: check.OneOf(None, "projection",
                                        "representation") = None,
                 embedding_channels: check.ListOf(_COUNT, 2) = (256, 128),
                 aux_index: check.Range(0, integer=True,
                                        optional=True) = None,
                 aux_channels: _COUNT = 256,
                 aux_dropout: check.PROBABILITY = 0.1,
                 backbone_indices: check.ListOf(
                     check.Range(0, integer=True)) = (0, 3),
                 align_corners: check.BOOL = True,
                 bn_momentum: check.PROBABILITY = 0.9,
                 bn_eps: check.Range(0.0, exclude_low=True) = 1e-5,
                 init: INIT = "kaiming",
                 pretrained: check.Text(optional=True) = None):
        super().__init__(backbone=backbone, taps=backbone_indices,
                         align_corners=align_corners)
        norm = batch_norm(momentum=bn_momentum, eps=bn_eps)
        *low, deep = (backbone.feat_channels[i] for i in self.taps)
        if aspp == "joint_norm":
            if aspp_pool_first or aspp_kernel != 1 or dropout[0]:
                raise ArgumentError(
                    "aspp", aspp, "branch_norm, with aspp_pool_first, "
                    "aspp_kernel: 3 or a dropout after ASPP")
            self.aspp = JointNormASPP(
                in_channels=deep, out_channels=aspp_channels,
                hidden=aspp_channels, rates=aspp_rates, norm=norm, init=init)
        else:
            self.aspp = ASPP(
                in_channels=deep, out_channels=aspp_channels,
                hidden=aspp_channels, rates=aspp_rates,
                pool_first=aspp_pool_first, kernel=aspp_kernel,
                drop=dropout[0], drop_channels=dropout_channels[0],
                norm=norm, init=init)
        self.low_first = low_first
        self.reduce = nn.LayerList([
            conv_norm_relu(width, low_channels, 1, norm=norm, init=init,
                           bias=low_bias) for width in low])
        joined = aspp_channels + low_channels * len(low)
        options = dict(bias=decoder_bias, norm=norm, init=init,
                       separable=separable, drop_channels=dropout_channels[1:])
        self.last_conv = convolutions(joined, decoder_channels,
                                      drop=(dropout[1], 0), **options)
        self.last_dropout = nn.Sequential(
            *dropout_layers(dropout[2], dropout_channels[2]))
        self.classifier = conv(decoder_channels, num_classes, 1, bias=True,
                               init=init)
        if embedding == "representation":
            hidden, out = embedding_channels
            self.embedding = nn.Sequential(
                *convolutions(joined, hidden, drop=dropout[1:], **options),
                conv(hidden, out, 1, bias=True, init=init))
        elif embedding == "projection":
            self.add_projection(decoder_channels, embedding_channels)
        self.embeds_joined = embedding == "representation"
        self.add_auxiliary(aux_index, num_classes, hidden=aux_channels,
                           drop=aux_dropout, norm=norm, init=init)
        load_pretrained(self, pretrained)

    def decode(self, taps):
        *low, deep = taps
        deep = self.aspp(deep)
        low = [reduce(x) for reduce, x in zip(self.reduce, low)]
        size = (low or [deep])[0].shape[2:]
        # The first early feature needs no resizing.
        low = low[:1] + [self.enlarge(x, size) for x in low[1:]]
        if low:
            deep = self.enlarge(deep, size)
        joined = paddle.concat([*low, deep] if self.low_first else
                               [deep, *low], axis=1)
        feature = self.last_conv(joined)
        return feature, joined if self.embeds_joined else feature

    def score(self, feature):
        return self.classifier(self.last_dropout(feature))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DeepLabV3+: what the golden vectors of the whole network leave open."""

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import ArgumentError, CheckpointError
from contrib_semiseg.models.deeplab import ASPP, DeepLabV3Plus


class Tiny(nn.Layer):
    """A backbone of two features, at strides 4 and 8."""

    feat_channels = [4, 6]

    def __init__(self):
        super().__init__()
        self.early = nn.Conv2D(3, 4, 4, stride=4)
        self.deep = nn.Conv2D(4, 6, 2, stride=2)

    def forward(self, x):
        early = self.early(x)
        return [early, self.deep(early)]


def tiny(**options):
    paddle.seed(0)
    return DeepLabV3Plus(
        num_classes=5, backbone=Tiny(), backbone_indices=(0, 1),
        aspp_rates=(1, 2), aspp_channels=8, low_channels=3,
        decoder_channels=7, **options)


def image(*shape):
    return paddle.to_tensor(
        np.random.RandomState(1).randn(*shape).astype("float32"))


def test_registered():
    assert manager.MODELS["DeepLabV3Plus"] is DeepLabV3Plus


def test_list_of_logits_at_input_size_and_gradients_everywhere():
    net = tiny()
    outputs = net(image(2, 3, 32, 40))
    assert [tuple(o.shape) for o in outputs] == [(2, 5, 32, 40)]
    (outputs[0] ** 2).mean().backward()
    for name, p in net.named_parameters():
        if not p.stop_gradient:
            assert p.grad is not None and float(p.grad.abs().sum()) > 0, name


def test_forward_is_backbone_decode_classify():
    net, x = tiny(), image(2, 3, 32, 40)
    net.eval()
    feature = net.decode(net.backbone(x))
    assert tuple(feature.shape) == (2, 7, 8, 10)
    np.testing.assert_array_equal(net.classify(feature, [32, 40]), net(x)[0])
    direct = F.interpolate(net.classifier(feature), [32, 40],
                           mode="bilinear", align_corners=True)
    np.testing.assert_array_equal(direct, net(x)[0])


def test_names_and_only_bias_of_a_convolution():
    names = [n for n, p in tiny().named_parameters() if not p.stop_gradient]
    assert {n.split(".")[0] for n in names} == {
        "backbone", "aspp", "reduce", "last_conv", "classifier"}
    assert not any(n.endswith("_conv.bias") for n in names)
    assert "classifier.bias" in names


def test_separable_decoder_has_depthwise_convolutions():
    net = tiny(separable=True)
    groups = [m._groups for m in net.last_conv.sublayers()
              if isinstance(m, nn.Conv2D)]
    assert groups == [11, 1, 7, 1]
    assert tuple(net(image(2, 3, 32, 40))[0].shape) == (2, 5, 32, 40)


def test_dropout_acts_in_training_only():
    net, x = tiny(dropout=0.5), image(2, 3, 32, 40)
    assert not np.array_equal(net(x)[0], net(x)[0])
    net.eval()
    np.testing.assert_array_equal(net(x)[0], net(x)[0])


def test_align_corners_false():
    x = image(2, 3, 32, 40)
    first = tiny()(x)[0].numpy()
    second = tiny(align_corners=False)(x)[0].numpy()
    assert np.abs(first - second).max() > 1e-4


def test_aspp_slope_is_the_same_in_training_and_evaluation():
    aspp = ASPP(in_channels=3, out_channels=4, hidden=2, rates=[1])
    x = paddle.linspace(-2, 2, 9)
    trained = aspp._leaky(x).numpy()
    aspp.eval()
    np.testing.assert_array_equal(aspp._leaky(x).numpy(), trained)
    assert trained[0] == np.float32(-0.02)


def test_pretrained_of_another_network(tmp_path):
    path = str(tmp_path / "other.pdparams")
    paddle.save(tiny(separable=True).state_dict(), path)
    with pytest.raises(CheckpointError) as caught:
        tiny(pretrained=path)
    assert "other.pdparams does not fit DeepLabV3Plus" in str(caught.value)


def test_index_beyond_the_backbone():
    with pytest.raises(ArgumentError, match="backbone_indices"):
        DeepLabV3Plus(num_classes=5, backbone=Tiny())

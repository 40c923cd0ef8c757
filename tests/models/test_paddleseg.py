# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Our networks on PaddleSeg's backbones, and PaddleSeg's on ours."""

import pytest

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from tests.support.networks import image


def build(**model):
    network = Builder(Config({"model": model, "num_classes": 5})).make_model()
    network.eval()
    return network


@pytest.mark.parametrize("backbone, indices", [
    ({"type": "MobileNetV2_x0_25"}, [0, 3]),
    ({"type": "ResNet18_vd", "output_stride": 8}, [0, 3]),
    # It has one feature, at stride 4.
    ({"type": "HRNet_W18_Small_V1"}, [0])])
def test_our_network_on_their_backbone(backbone, indices):
    net = build(type="DeepLabV3Plus", backbone_indices=indices,
                aspp_channels=8, decoder_channels=8, backbone=backbone)
    out = net(image(2, 3, 33, 49), outputs=["logits", "feature"])
    assert out["logits"].shape == [2, 5, 33, 49]
    assert out["feature"].shape == [2, 8, 9, 13]


@pytest.mark.parametrize("model", [
    {"type": "DeepLabV3P"}, {"type": "PSPNet", "pp_out_channels": 8},
    {"type": "FCN", "backbone_indices": [3]}])
@pytest.mark.parametrize("backbone", [
    {"type": "EfficientNetLite"}, {"type": "SmallResNet"}])
def test_their_network_on_our_backbone(model, backbone):
    net = build(**model, backbone=backbone)
    assert net(image(2, 3, 33, 49))[0].shape == [2, 5, 33, 49]

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Deep-stem ResNet: strides, dilations, names of torch files.

The numbers of the whole network are pinned by the golden vectors.
"""

import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.models.backbones import ResNet50Deep
from contrib_semiseg.models.backbones.resnet import _rename, layer_strides


@pytest.mark.parametrize("stride, rows", [
    (32, [(1, [1]), (2, [1]), (2, [1]), (2, [1])]),
    (16, [(1, [1]), (2, [1]), (2, [1]), (1, [2, 4, 8])]),
    (8, [(1, [1]), (2, [1]), (1, [2]), (1, [4, 8, 16])]),
])
def test_layer_strides(stride, rows):
    assert layer_strides(stride, [1, 2, 4]) == rows


def test_features_and_options():
    net = ResNet50Deep(output_stride=8, bn_eps=1e-3, bn_momentum=0.7)
    sizes = [tuple(f.shape) for f in net(paddle.zeros([2, 3, 33, 49]))]
    assert sizes == [(2, 256, 9, 13), (2, 512, 5, 7), (2, 1024, 5, 7),
                     (2, 2048, 5, 7)]
    assert net.feat_channels == [s[1] for s in sizes]
    norm = net.layer4[2].bn3
    assert (norm._epsilon, norm._momentum) == (1e-3, 0.7)


def test_names_of_torch_files():
    theirs = {"backbone.stem.0.weight": 0, "module.stem.4.running_mean": 1,
              "stem.7.bias": 2, "layer1.0.conv1.weight": 3, "fc.weight": 4}
    assert _rename(theirs) == {
        "conv1.0.weight": 0, "conv1.4.running_mean": 1, "bn1.bias": 2,
        "layer1.0.conv1.weight": 3}


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="multi_grid"):
        ResNet50Deep(multi_grid=[1, 2])

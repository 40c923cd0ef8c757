# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Backbones: layers with `feat_channels` that return a list of features."""

from contrib_semiseg.models.backbones.efficientnet_lite import EfficientNetLite
from contrib_semiseg.models.backbones.resnet import ResNet
from contrib_semiseg.models.backbones.small_resnet import SmallResNet
from contrib_semiseg.models.backbones.xception import Xception65

__all__ = ["EfficientNetLite", "ResNet", "SmallResNet", "Xception65"]

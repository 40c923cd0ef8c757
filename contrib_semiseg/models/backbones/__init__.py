# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Backbones: layers with `feat_channels` that return a list of features."""

from contrib_semiseg.models.backbones.efficientnet_lite import EfficientNetLite0
from contrib_semiseg.models.backbones.resnet import ResNet50Deep, ResNet101Deep
from contrib_semiseg.models.backbones.small_resnet import SmallResNet

__all__ = ["EfficientNetLite0", "ResNet50Deep", "ResNet101Deep", "SmallResNet"]

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A residual network that trains from scratch on a CPU in minutes."""

from paddle import nn

from contrib_semiseg.cvlibs import check, manager


class _Block(nn.Layer):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2D(in_channels, channels, 3, stride=stride,
                               padding=1, bias_attr=False)
        self.bn1 = nn.BatchNorm2D(channels)
        self.conv2 = nn.Conv2D(channels, channels, 3, padding=1,
                               bias_attr=False)
        self.bn2 = nn.BatchNorm2D(channels)
        self.relu = nn.ReLU()
        self.shortcut = None
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2D(in_channels, channels, 1, stride=stride,
                          bias_attr=False), nn.BatchNorm2D(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.shortcut is None else
                              self.shortcut(x)))


@manager.register(manager.BACKBONES)
class SmallResNet(nn.Layer):
    """A stem and four stages of basic blocks, for small images and tests.

    Args:
        channels (list[int]): of the stem and the four stages.
        blocks (list[int]): blocks of each stage.
        in_channels (int): of the image.

    `feat_channels` holds the channels of the four features returned, at
    strides 4, 8, 16 and 16.
    """

    @check.arguments
    def __init__(self, *,
                 channels: check.ListOf(check.Range(1, integer=True),
                                        5) = (16, 32, 64, 96, 128),
                 blocks: check.ListOf(check.Range(1, integer=True),
                                      4) = (1, 1, 1, 1),
                 in_channels: check.Range(1, integer=True) = 3):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2D(in_channels, channels[0], 3, stride=2, padding=1,
                      bias_attr=False), nn.BatchNorm2D(channels[0]), nn.ReLU())
        self.stages = nn.LayerList()
        for i, stride in enumerate((2, 2, 2, 1)):
            width = channels[i + 1]
            self.stages.append(nn.Sequential(
                _Block(channels[i], width, stride),
                *[_Block(width, width, 1) for _ in range(blocks[i] - 1)]))
        self.feat_channels = list(channels[1:])

    def forward(self, x):
        """[N, in_channels, H, W] to four features [N, C_i, H_i, W_i]."""
        x, features = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL on networks of a few numbers."""

import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.losses.criterion import Criterion
from contrib_semiseg.losses.cross_entropy import CrossEntropyLoss
from contrib_semiseg.methods.u2pl import U2PL
from tests.support.replay import UnbiasedBatchNorm2D, factory


class Weights(nn.Layer):
    """One parameter where a network is expected."""

    embedding_width = 1

    def __init__(self, value):
        super().__init__()
        self.weight = self.create_parameter(
            value.shape, default_initializer=nn.initializer.Assign(value))

    @staticmethod
    def output_names():
        return ["scores", "embedding"]


class Network(nn.Layer):
    """Two strided convolutions, 1x1 scores, embedding and auxiliary ones."""

    def __init__(self, classes, width, aux=False):
        super().__init__()
        self.embedding_width = width
        self.c1 = nn.Conv2D(3, 6, 3, stride=2, padding=1, bias_attr=False)
        self.b1 = UnbiasedBatchNorm2D(6)
        self.c2 = nn.Conv2D(6, 12, 3, stride=2, padding=1, bias_attr=False)
        self.b2 = UnbiasedBatchNorm2D(12)
        self.pred, self.rep = nn.Conv2D(12, classes, 1), nn.Conv2D(
            12, width, 1)
        self.aux = nn.Conv2D(6, classes, 1) if aux else None
        self.modes = []

    def output_names(self):
        return ["scores", "embedding"] + (["aux"] if self.aux else [])

    @staticmethod
    def enlarge(x, size):
        return F.interpolate(x, size, mode="bilinear", align_corners=True)

    def forward(self, x, outputs=None):
        self.modes.append("train" if self.training else "eval")
        early = F.relu(self.b1(self.c1(x)))
        late = F.relu(self.b2(self.c2(early)))
        heads = {"scores": lambda: self.pred(late), "embedding": lambda:
                 self.rep(late), "aux": lambda: self.aux(early)}
        if outputs is None:
            return [self.enlarge(heads["scores"](), x.shape[2:])]
        return {name: heads[name]() for name in outputs}


def method(*networks, num_classes=4, width=6, **options):
    """The method on these networks, or on new ones."""
    paddle.seed(0)
    networks = networks or [Network(num_classes, width) for _ in range(2)]
    options = {"criterion": Criterion([CrossEntropyLoss()], [1]),
               "bank_rows": 40, "first_bank_rows": 60, "queries": 8,
               "negatives": 4, "low_rank": 1, **options}
    return U2PL(make_model=factory(*networks), num_classes=num_classes,
                **options)


def batch(classes=4, count=2, side=33):
    """Random images and labels."""
    return {"labeled": {
        "img": paddle.randn([count, 3, side, side]),
        "label": paddle.randint(0, classes, [count, side, side])},
        "unlabeled": {"img": paddle.randn([count, 3, side, side])}}

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Supervised: one term, the criterion of the network's outputs."""

import paddle
import pytest

from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.supervised import Supervised
from tests.support.replay import MainLogits, ReplayNet


def test_loss_is_the_criterion_of_labelled_images():
    logits = paddle.randn([2, 3, 4, 4])
    label = paddle.ones([2, 4, 4], dtype="int64")
    net = ReplayNet(logits)
    method = Supervised(model=net, criterion=MainLogits(
        lambda z, y: (z.mean() + y.astype("float32").mean())))
    terms = method({"labeled": {"img": paddle.zeros([2, 3, 4, 4]),
                                "label": label}}, Step(it=0, total=1))
    assert list(terms) == ["loss_sup"]
    assert float(terms["loss_sup"]) == pytest.approx(
        float(logits.mean()) + 1.0)
    assert method.eval_network() is net

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CPS: what the golden cases do not show."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.cps import CPS, CPSCutMix
from tests.support.replay import MainLogits, ReplayNet, factory


def cps(kind, *nets, **options):
    return kind(make_model=factory(*nets),
                criterion=MainLogits(lambda z, y: z.mean()), **options)


def batch(n=2):
    image = paddle.zeros([n, 3, 4, 4])
    return {"labeled": {"img": image,
                        "label": paddle.zeros([n, 4, 4], dtype="int64")},
            "unlabeled": {"img": image,
                          "mask": paddle.zeros([n, 1, 4, 4])},
            "source": {"img": image}}


def test_statistics_and_pictures():
    one, two = (paddle.nn.functional.one_hot(
        paddle.full([2, 4, 4], c, dtype="int64"), 3).transpose([0, 3, 1, 2])
        for c in (1, 2))
    # The branches agree on the unlabelled images and differ on the others.
    method = cps(CPS, ReplayNet(one, one), ReplayNet(two, one))
    terms = method(batch(), Step(it=0, total=1))
    assert float(terms["agreement"]) == 0.5
    np.testing.assert_array_equal(terms["show_pseudo_label"].numpy(), 1)
    assert terms["show_image"].shape == [2, 3, 4, 4]


@pytest.mark.parametrize("kind", [CPS, CPSCutMix])
def test_grad_scale_leaves_the_logged_terms(kind):
    logits = [paddle.randn([2, 3, 4, 4]) for _ in range(8)]
    whole, part = (cps(kind, ReplayNet(*logits[:4]), ReplayNet(*logits[4:]),
                       grad_scale=scale) for scale in (1.0, 0.25))
    a = whole(batch(), Step(it=0, total=1))
    b = part(batch(), Step(it=0, total=1))
    assert float(a["loss_cps"]) == float(b["loss_cps"])
    assert float(part.total_loss(b)) == pytest.approx(
        0.25 * float(whole.total_loss(a)))


@pytest.mark.parametrize("options", [{"cps_weight": -1.0},
                                     {"grad_scale": 0.0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        cps(CPS, ReplayNet(), ReplayNet(), **options)


def test_the_first_branch_is_evaluated():
    nets = ReplayNet(), ReplayNet()
    assert cps(CPSCutMix, *nets).eval_network() is nets[0]

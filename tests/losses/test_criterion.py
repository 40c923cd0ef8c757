# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The supervised loss over several outputs."""

import paddle
import pytest
from paddleseg.models.losses import MixedLoss

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.losses.criterion import Criterion


def scaled(logits, label):
    return logits.mean() * label.astype("float32").mean()


LABEL = paddle.full([1, 2, 2], 3, "int64")
MAIN, AUX = paddle.full([1, 2, 2, 2], 1.0), paddle.full([1, 2, 2, 2], 10.0)


def test_one_output():
    criterion = Criterion([scaled], [2])
    assert float(criterion([MAIN], LABEL)) == 6
    assert float(criterion(MAIN, LABEL)) == 6


def test_one_loss_serves_all_outputs():
    assert float(Criterion([scaled], [1, 0.5])([MAIN, AUX], LABEL)) == 18


def test_losses_meet_their_outputs_in_order():
    criterion = Criterion([scaled, lambda x, y: x.sum()], [1, 0.5])
    assert float(criterion([MAIN, AUX], LABEL)) == 3 + 0.5 * 80


def test_a_mixed_loss_is_summed():
    mixed = MixedLoss([scaled, scaled], [1, 2])
    assert float(Criterion([mixed], [0.5])([MAIN], LABEL)) == 4.5


def test_gradients_carry_the_factors():
    x = paddle.full([1, 2, 2, 2], 1.0)
    x.stop_gradient = False
    Criterion([scaled], [2, 3])([x, x], LABEL).backward()
    assert float(x.grad.sum()) == pytest.approx(15)


def test_another_number_of_outputs_names_the_remedy():
    with pytest.raises(ConfigError) as caught:
        Criterion([scaled], [1])([MAIN, AUX], LABEL)
    assert "2 outputs" in str(caught.value)
    assert "coef: [1, 0.4]" in str(caught.value)
    with pytest.raises(ConfigError):
        Criterion([scaled], [1, 1])(MAIN, LABEL)


def test_losses_and_factors_must_match():
    with pytest.raises(ConfigError):
        Criterion([scaled, scaled], [1, 1, 1])

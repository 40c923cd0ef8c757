# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Learning rates at hand-computed points."""

import pytest

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.engine.schedules import (
    ConstantLR,
    PaddleSchedule,
    PolyLR,
)


def test_poly_ends_at_end_lr():
    rate = PolyLR(learning_rate=1.0, total_steps=10, power=2.0, end_lr=0.2)
    assert rate(0) == 1.0
    assert rate(5) == pytest.approx(0.2 + 0.8 * 0.25)
    assert rate(10) == 0.2


def test_warmup_replaces_the_first_steps():
    rate = PolyLR(learning_rate=1.0, total_steps=10, power=1.0,
                  warmup_iters=4, warmup_start_lr=0.2)
    assert rate(0) == 0.2
    assert rate(2) == pytest.approx(0.6)
    assert rate(4) == pytest.approx(0.6)


def test_constant():
    rate = ConstantLR(learning_rate=0.5, warmup_iters=2)
    assert [rate(k) for k in (0, 1, 2, 99)] == [0.0, 0.25, 0.5, 0.5]


def test_paddle_poly_restarts_after_the_warmup():
    rate = PaddleSchedule(type="PolynomialDecay", total_steps=12,
                          learning_rate=1.0, warmup_iters=2,
                          options={"power": 1.0, "end_lr": 0.0})
    assert rate(1) == pytest.approx(0.5)
    assert rate(2) == pytest.approx(1.0)
    assert rate(7) == pytest.approx(0.5)
    assert rate(3) == pytest.approx(0.9), "a function of the step alone"


@pytest.mark.parametrize("name, options, said", [
    ("PolynomDecay", {}, "did you mean 'PolynomialDecay'"),
    ("StepDecay", {"stepsize": 3}, "did you mean 'step_size'")])
def test_unknown_names(name, options, said):
    with pytest.raises(ConfigError, match=said):
        PaddleSchedule(type=name, total_steps=3, learning_rate=1.0,
                       options=options)


def test_the_rate_follows_the_batch():
    rate = PolyLR(learning_rate=0.16, total_steps=10, total_batch=4,
                  reference_batch=16)
    assert rate(0) == pytest.approx(0.04)
    assert PolyLR(learning_rate=0.16, total_steps=10, total_batch=4)(0) == 0.16

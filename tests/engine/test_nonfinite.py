# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Updates that are left out leave no trace; weights that are NaN are not kept.
"""

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.engine import checkpoint, distributed
from contrib_semiseg.engine.hooks import (
    CheckpointHook,
    Hook,
    LogHook,
    StopOnNonFinite,
)
from contrib_semiseg.engine.nonfinite import NonFinite, check_state
from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.memory import RowQueue
from tests.engine.test_trainer import trainer_of
from tests.support.line import Line, batch

NAN = float("nan")


class Moving(Method):
    """A loss beside all that a forward pass can change.

    Statistics, a memory, a teacher that is shown the images, an EMA.
    """

    requires = ("labeled.img",)

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1D(2),
                                 nn.Linear(2, 1))
        self.teacher = nn.BatchNorm1D(1)
        for parameter in self.teacher.parameters():
            parameter.stop_gradient = True
        self.memory = RowQueue(capacity=3, columns={"x": ([1], "float32")})
        self.register_buffer("steps", paddle.zeros([1], "int64"))

    def forward(self, batch, step):
        x = batch["labeled"]["img"]
        self.memory.append(x=x)
        self.teacher(x)
        return {"loss_a": self.net(x).abs().mean()}

    def after_step(self, step):
        self.steps[0] = self.steps[0] + 1

    def eval_network(self):
        return self.net


def state_of(method):
    return {k: v.numpy().copy() for k, v in method.state_dict().items()}


def moving_trainer(total=4, limit=0, **options):
    paddle.seed(0)
    return trainer_of(Moving(), total=total, skip_nonfinite=limit, **options)


def assert_equal(ones, others):
    assert ones.keys() == others.keys()
    for name, one in ones.items():
        np.testing.assert_array_equal(one, others[name], err_msg=name)


GOOD = [batch(1.0, 2.0), batch(3.0, 5.0), batch(0.5, 4.0)]


@pytest.mark.parametrize("bad", [
    pytest.param([batch(1.0, NAN)], id="a loss"),
    pytest.param([batch(1.0, 2.0), batch(NAN, 1.0)], id="the second batch"),
    pytest.param([batch(NAN, 2.0), batch(1.0, 1.0)], id="the first batch")])
def test_no_trace_of_an_update_that_is_left_out(bad, capsys):
    parts = len(bad)
    with_bad = moving_trainer(1, limit=1, accumulate_steps=parts)
    before = state_of(with_bad.method)
    step = with_bad.step_of(0)
    assert with_bad.run_step(bad, step) == {}
    assert_equal(state_of(with_bad.method), before)
    assert with_bad.guard.skipped == 1
    assert "not finite: loss_a = " in capsys.readouterr().out
    plain = moving_trainer(1, limit=1, accumulate_steps=parts)
    for trainer in (with_bad, plain):  # nor is there one in later updates
        assert trainer.run_step(GOOD[:parts], step)
    assert_equal(state_of(with_bad.method), state_of(plain.method))


def test_a_gradient_that_is_not_finite_counts(capsys):
    trainer = moving_trainer(1, limit=1)
    # The root's slope at 0 is infinite, its value is not.
    trainer.method.forward = lambda batch, step: {
        "loss_a": (trainer.method.net[0].bias - trainer.method.net[0].bias)
        .sqrt().sum()}
    before = state_of(trainer.method)
    assert trainer.run_step(GOOD[:1], trainer.step_of(0)) == {}
    assert_equal(state_of(trainer.method), before)
    assert "not finite: a gradient" in capsys.readouterr().out


def test_statistics_that_are_not_finite_count(capsys):
    trainer = moving_trainer(1, limit=1)
    method = trainer.method

    def forward(batch, step):
        method.teacher(paddle.full([2, 1], NAN))
        return {"loss_a": method.net(batch["labeled"]["img"]).sum()}

    method.forward = forward
    before = state_of(method)
    assert trainer.run_step(GOOD[:1], trainer.step_of(0)) == {}
    assert_equal(state_of(method), before)
    assert "not finite: teacher._mean" in capsys.readouterr().out


def test_the_limit_ends_the_run_with_the_cause():
    trainer = trainer_of(Line(), total=5, skip_nonfinite=2)
    with pytest.raises(NonFinite, match="iteration 4: not finite: loss_a = "
                       "nan; skip_nonfinite = 2 updates were left out"):
        trainer.fit([batch(NAN), batch(1.0), batch(NAN), batch(NAN)])
    assert trainer.method.after == [1]


def test_without_the_option_nothing_is_looked_at():
    trainer = trainer_of(Line(), total=1)
    trainer.fit([batch(NAN)])
    assert trainer.guard.skipped == 0 and trainer.method.after == [0]


def test_the_count_is_logged_and_averages_leave_the_update_out(capsys):
    trainer = trainer_of(Line(), total=4, skip_nonfinite=9,
                         hooks=[StopOnNonFinite(every=1), LogHook(every=2)])
    trainer.fit([batch(1.0), batch(NAN), batch(NAN), batch(NAN)])
    out = capsys.readouterr().out
    first, second = [x for x in out.splitlines() if "[TRAIN]" in x]
    assert "loss: 1.0000, loss_a: 1.0000" in first
    assert first.count("skipped: 1,") == 1
    assert "loss: nan, skipped: 3, lr" in second
    assert out.count("[SKIP] iteration") == 3
    assert "(3 of at most 9)" in out


def test_the_count_is_part_of_a_checkpoint(tmp_path):
    hook = CheckpointHook(save_dir=str(tmp_path), every=2, keep=1)
    trainer = trainer_of(Line(), total=2, skip_nonfinite=9, hooks=[hook])
    trainer.fit([batch(1.0), batch(NAN)])
    other = Line()
    head = checkpoint.load(tmp_path / "iter_2", method=other,
                           optimizer=SGD()(other, 1.0))
    assert head["skipped"] == 1


def test_all_processes_decide_alike(monkeypatch):
    """Another one's loss is not finite, or another one's text is there."""
    monkeypatch.setattr(distributed, "any_flag", lambda flag: 1)
    monkeypatch.setattr(distributed, "gather_lists",
                        lambda values: [*values, "loss_b = inf"])
    trainer = trainer_of(Line(), total=1, skip_nonfinite=0)
    trainer.fit([batch(1.0)])
    assert trainer.method.after == [0]
    trainer = trainer_of(Line(), total=1, skip_nonfinite=1)
    assert trainer.run_step([batch(1.0)], trainer.step_of(0)) == {}
    assert trainer.method.after == []


class Poison(Hook):
    """Sets a part of the state at step 1."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def after_step(self, trainer, step, terms):
        if step.it == 1:
            own = trainer.method.state_dict()[self.name]
            own.set_value(paddle.full_like(own, self.value))


@pytest.mark.parametrize("name", ["net.0.weight", "net.1._mean", "memory.x"])
def test_no_checkpoint_holds_nan(tmp_path, name):
    hook = CheckpointHook(save_dir=str(tmp_path), every=1, keep=5)
    trainer = moving_trainer(hooks=[Poison(name, NAN), hook])
    with pytest.raises(NonFinite, match=f"iteration 2: {name} is not finite"):
        trainer.fit([*GOOD, GOOD[0]])
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == ["iter_1"]


def test_weights_are_looked_at_beside_losses():
    trainer = moving_trainer(hooks=[Poison("net.1._mean", float("inf")),
                                    StopOnNonFinite(every=2)])
    with pytest.raises(NonFinite, match="iteration 2: net.1._mean"):
        trainer.fit([*GOOD, GOOD[0]])


def test_a_memory_may_hold_infinity():
    method = Moving()
    method.memory.x.set_value(paddle.full([3, 1], float("inf")))
    check_state(method, 1)

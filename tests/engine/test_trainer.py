# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The loop: updates, order of events, seeds, errors."""

import ctypes
import os
import signal
import threading

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.engine.hooks import Hook, NonFinite, StopOnNonFinite
from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.trainer import Stopped, Trainer
from tests.support.line import Line, batch


def trainer_of(method, total=4, **options):
    optimizer = SGD()(method, 1.0)
    return Trainer(method=method, optimizer=optimizer, total_steps=total,
                   iters_per_epoch=2, schedule=lambda step: 0.1 * (step + 1),
                   **options)


class Record(Hook):

    def __init__(self):
        self.events = []

    def before_training(self, trainer, start_step):
        self.events.append(f"start {start_step}")

    def after_step(self, trainer, step, terms):
        assert step.iters_per_epoch == trainer.iters_per_epoch
        self.events.append(f"{step.it} of epoch {step.epoch}/{step.epochs}")

    def after_stop(self, trainer, step):
        self.events.append(f"stop {step.it}")

    def after_training(self, trainer):
        self.events.append("end")


def test_each_step_uses_its_rate_and_tells_hooks_and_method():
    method, record = Line(), Record()
    trainer = trainer_of(method, total=3, hooks=[record])
    trainer.fit([batch(1.0, 3.0)] * 3)
    assert float(method.net.weight) == pytest.approx(
        1 - 2.0 * (0.1 + 0.2 + 0.3))
    assert method.after == [0, 1, 2]
    assert record.events == ["start 0", "0 of epoch 0/2", "1 of epoch 0/2",
                             "2 of epoch 1/2", "end"]
    assert trainer.images == 6


def test_accumulation_averages_gradients():
    one, two = Line(), Line()
    trainer_of(one, total=1).fit([batch(1.0, 2.0, 3.0, 6.0)])
    trainer_of(two, total=1, accumulate_steps=2).fit(
        [batch(1.0, 2.0), batch(3.0, 6.0)])
    assert float(one.net.weight) == pytest.approx(float(two.net.weight))


def test_random_draws_depend_on_seed_and_step_alone():
    whole, part, other = Line(), Line(), Line()
    trainer_of(whole).fit([batch(1.0)] * 4)
    trainer_of(part).fit([batch(1.0)] * 2, start_step=2)
    trainer_of(other, seed=1).fit([batch(1.0)] * 4)
    assert part.draws == whole.draws[2:]
    assert len(set(whole.draws)) == 4
    assert not set(other.draws) & set(whole.draws)


def test_a_missing_batch_key_is_named():
    method = Line()
    method.requires = ("labeled.img", "labeled.lable")
    with pytest.raises(ConfigError, match="'labeled.lable', the batch has: "
                       "labeled.img"):
        trainer_of(method).fit([batch(1.0)] * 4)


def test_half_precision_needs_a_gpu():
    with pytest.raises(ConfigError, match="'fp16' needs a GPU"):
        trainer_of(Line(), precision="fp16")


def test_a_signal_stops_after_the_step():
    class Send(Hook):

        def after_step(self, trainer, step, terms):
            if step.it == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    record, before = Record(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match="SIGTERM after iteration 2") as stopped:
        trainer_of(Line(), hooks=[Send(), record]).fit([batch(1.0)] * 4)
    assert (stopped.value.number, stopped.value.step) == (signal.SIGTERM, 2)
    assert record.events[-2:] == ["stop 1", "end"]
    assert signal.getsignal(signal.SIGTERM) is before


class Signals(Hook):
    """Sends this process signals at the end of the first step."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def after_step(self, trainer, step, terms):
        for number in self.numbers:
            os.kill(os.getpid(), number)


def test_a_launcher_may_repeat_its_signal():
    record = Record()
    hooks = [Signals(signal.SIGTERM, signal.SIGTERM), record]
    with pytest.raises(Stopped) as stopped:
        trainer_of(Line(), hooks=hooks).fit([batch(1.0)] * 4)
    assert (stopped.value.number, stopped.value.step) == (signal.SIGTERM, 1)
    assert "stop 0" in record.events


def test_a_second_ctrl_c_is_meant():
    record = Record()
    hooks = [Signals(signal.SIGINT, signal.SIGINT), record]
    with pytest.raises(KeyboardInterrupt):
        trainer_of(Line(), hooks=hooks).fit([batch(1.0)] * 4)
    assert record.events[-1] == "end"


def test_a_signal_does_not_break_a_wait():
    """A read that no Python code repeats, as Paddle's store does."""
    class Wait(Hook):

        def after_step(self, trainer, step, terms):
            reader, writer = os.pipe()
            threading.Timer(0.1, lambda: os.kill(
                os.getpid(), signal.SIGTERM)).start()
            threading.Timer(0.3, lambda: os.write(writer, b"x")).start()
            libc = ctypes.CDLL(None, use_errno=True)
            self.count = libc.read(reader, ctypes.create_string_buffer(1), 1)
            assert self.count == 1, os.strerror(ctypes.get_errno())

    with pytest.raises(Stopped):
        trainer_of(Line(), hooks=[Wait()]).fit([batch(1.0)] * 4)


def test_a_loss_that_is_not_finite_ends_the_run():
    trainer = trainer_of(Line(), hooks=[StopOnNonFinite(every=2)])
    with pytest.raises(NonFinite, match="iteration 2: loss_a not finite"):
        trainer.fit([batch(1.0), batch(np.nan)] * 2)

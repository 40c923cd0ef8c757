# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Learning rate as a function of the step, so that resuming needs no state."""

import inspect

from paddle.optimizer import lr as paddle_lr

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ConfigError, nearest


def _warmup(step, learning_rate, warmup_iters, warmup_start_lr):
    share = step / warmup_iters
    return warmup_start_lr + (learning_rate - warmup_start_lr) * share


@manager.register(manager.SCHEDULES)
class PolyLR:
    """end + (base - end) * (1 - k / T)^power, after a linear warm-up.

    k counts from the first step of all, so the curve does not shift with the
    warm-up, which replaces its first steps.

    Args:
        learning_rate (float): base rate.
        total_steps (int): T.
        power (float): exponent.
        end_lr (float): rate at k = T.
        warmup_iters (int): steps of the linear rise.
        warmup_start_lr (float): rate at k = 0 of the rise.
        delay (int): steps by which the curve lags: k is max(0, step -
            delay). Releases that set the rate after the step have 1.
        total_batch (int, optional): labelled images of an update, over all
            processes.
        reference_batch (int, optional): the `total_batch` that
            `learning_rate` is meant for; another one scales it linearly. A
            rate given with --learning_rate is never scaled.
    Source: the CPS release; PaddleSeg's PolynomialDecay restarts k at the end
        of the warm-up.
    """

    @check.arguments
    def __init__(self, *, learning_rate: check.Range(0), total_steps,
                 power: check.Range(0) = 0.9, end_lr: check.Range(0) = 0.0,
                 warmup_iters: check.Range(0, integer=True) = 0,
                 warmup_start_lr: check.Range(0) = 0.0,
                 delay: check.Range(0, integer=True) = 0, total_batch=None,
                 reference_batch: check.Range(1, integer=True,
                                              optional=True) = None):
        self.delay = delay
        if total_batch and reference_batch:
            learning_rate = learning_rate / reference_batch * total_batch
        self.base, self.total, self.power = learning_rate, total_steps, power
        self.end, self.warmup_iters = end_lr, warmup_iters
        self.warmup_start_lr = warmup_start_lr

    def __call__(self, step):
        """The rate (float) of step `step`, from 0."""
        if step < self.warmup_iters:
            return _warmup(step, self.base, self.warmup_iters,
                           self.warmup_start_lr)
        left = max(0.0, 1 - max(0, step - self.delay) / self.total)
        return self.end + (self.base - self.end) * left**self.power


@manager.register(manager.SCHEDULES)
class NominalPolyLR(PolyLR):
    """PolyLR that misjudges its epochs, for runs of the CAC release.

    Its supervised runs have epochs of `epoch_iters` steps, but the rate is
    computed as if they had `nominal_iters`, from a counter that no epoch
    resets: it jumps up and down and does not end at 0. `PolyLR` is right.

    Args:
        learning_rate, power (float): as in PolyLR.
        total_steps (int): steps of the run.
        epoch_iters, nominal_iters (int): steps of an epoch as it is, and as
            the schedule takes it to be.
    """

    @check.arguments
    def __init__(self, *, learning_rate: check.Range(0), total_steps,
                 epoch_iters: check.Range(1, integer=True),
                 nominal_iters: check.Range(1, integer=True) = 1157,
                 power: check.Range(0) = 0.9):
        epochs = -(-total_steps // epoch_iters)
        super().__init__(learning_rate=learning_rate, power=power,
                         total_steps=epochs * nominal_iters)
        self.epoch_iters, self.nominal_iters = epoch_iters, nominal_iters

    def __call__(self, step):
        """The rate (float) of step `step`, from 0."""
        if step:
            epoch, counter = ((step - 1) // self.epoch_iters,
                              (step - 1) % self.nominal_iters + 1)
            step = epoch * self.nominal_iters + counter
        return super().__call__(step)


@manager.register(manager.SCHEDULES)
class ConstantLR:
    """One rate throughout, after a linear warm-up.

    Args: as in PolyLR.
    """

    @check.arguments
    def __init__(self, *, learning_rate: check.Range(0),
                 warmup_iters: check.Range(0, integer=True) = 0,
                 warmup_start_lr: check.Range(0) = 0.0):
        self.base, self.warmup_iters = learning_rate, warmup_iters
        self.warmup_start_lr = warmup_start_lr

    def __call__(self, step):
        """The rate (float) of step `step`, from 0."""
        if step < self.warmup_iters:
            return _warmup(step, self.base, self.warmup_iters,
                           self.warmup_start_lr)
        return self.base


class PaddleSchedule:
    """A scheduler of paddle.optimizer.lr under PaddleSeg's rules.

    `PolynomialDecay` gets its `decay_steps` from the run, and a warm-up runs
    before the schedule, which starts when it ends.

    Args:
        type (str): a class of paddle.optimizer.lr.
        total_steps (int): steps of the run.
        learning_rate (float): base rate.
        warmup_iters (int), warmup_start_lr (float): linear warm-up.
        options (dict): further arguments of the class.
    Raises: ConfigError for a class or argument that Paddle does not have.
    """

    def __init__(self, *, type, total_steps, learning_rate, warmup_iters=0,
                 warmup_start_lr=0.0, options=None):
        kind = getattr(paddle_lr, type, None)
        names = [n for n in paddle_lr.__all__ if n != "LRScheduler"]
        if kind is None or type not in names:
            raise ConfigError(f"lr_scheduler.type = {type!r} is unknown; "
                              f"allowed: {', '.join(sorted(names))}"
                              f"{nearest(type, names)}")
        options = dict(options or {})
        allowed = inspect.signature(kind).parameters
        for name in options:
            if name not in allowed:
                raise ConfigError(
                    f"lr_scheduler.{name} is not an argument of {type}; "
                    f"allowed: {', '.join(allowed)}{nearest(name, allowed)}")
        if type in ("PolynomialDecay", "CosineAnnealingDecay"):
            steps = "decay_steps" if type == "PolynomialDecay" else "T_max"
            options.setdefault(steps, max(1, total_steps - warmup_iters))
        self.base, self.warmup_iters = learning_rate, warmup_iters
        self.warmup_start_lr = warmup_start_lr
        self.scheduler = kind(learning_rate=learning_rate, **options)

    def __call__(self, step):
        """The rate (float) of step `step`, from 0."""
        if step < self.warmup_iters:
            return _warmup(step, self.base, self.warmup_iters,
                           self.warmup_start_lr)
        self.scheduler.step(step - self.warmup_iters)
        return float(self.scheduler())

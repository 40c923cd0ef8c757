# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The one training loop; it knows methods only by their interface."""

import random
import signal
import time

import numpy as np
import paddle

from contrib_semiseg.cvlibs.errors import ConfigError, UserError, nearest
from contrib_semiseg.engine import distributed
from contrib_semiseg.engine.nonfinite import Guard
from contrib_semiseg.methods.base import Step

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(UserError):
    """Training ended early on a signal, after a checkpoint.

    Args:
        number (int): the signal.
        step (int): finished iterations.
    """

    def __init__(self, number, step):
        super().__init__(f"stopped by {signal.Signals(number).name} after "
                         f"iteration {step}")
        self.number, self.step = number, step


def seed_step(seed, it, part=0):
    """Seed every global generator from (seed, iteration, process, part).

    So a resumed run draws what an uninterrupted one does, with no generator
    state to carry over.
    """
    words = np.random.SeedSequence(
        [seed, it, distributed.rank(), part]).generate_state(2)
    paddle.seed(int(words[0]))
    np.random.seed(int(words[1]))
    random.seed(int(words[1]))


class Trainer:
    """Runs a method's steps and lets hooks observe them.

    Args:
        method (Method): networks and losses.
        optimizer: Paddle optimizer over the method's parameters.
        schedule (callable): step to learning rate.
        total_steps (int): iterations, each one update of the weights.
        iters_per_epoch (int): for `Step.epoch`.
        seed (int): of the run.
        accumulate_steps (int): batches whose gradients are averaged for one
            update.
        precision (str): "fp32", "fp16" or "bf16".
        amp_level (str): "O1", or "O2" for nearly all operations in half
            precision; weights stay float32 in both.
        skip_nonfinite (int): updates that may be left out because a loss or
            a gradient is not finite, see `nonfinite.Guard`; 0: none is
            looked at.
        hooks (list[Hook]): called in order.

    Attributes:
        guard (Guard): counts the updates that were left out.
        wait_seconds (float): time spent waiting for data, so far.
        images (int): images seen by this process, so far.
        aside_seconds (float): time that hooks spent on evaluations,
            checkpoints and diagnoses, so far; they add to it.
    """

    def __init__(self, *, method, optimizer, schedule, total_steps,
                 iters_per_epoch, seed=0, accumulate_steps=1,
                 precision="fp32", amp_level="O1", skip_nonfinite=0,
                 hooks=()):
        if precision != "fp32" and not paddle.get_device().startswith("gpu"):
            raise ConfigError(
                f"precision = {precision!r} needs a GPU, and this run is on "
                f"{paddle.get_device()}; set --precision fp32")
        self.method, self.optimizer = method, optimizer
        self.schedule, self.total_steps = schedule, total_steps
        self.iters_per_epoch, self.seed = iters_per_epoch, seed
        self.accumulate_steps = accumulate_steps
        self.amp = dict(enable=precision != "fp32", level=amp_level,
                        dtype="bfloat16" if precision == "bf16" else "float16")
        self.scaler = (paddle.amp.GradScaler() if precision == "fp16" else
                       None)
        self.hooks = list(hooks)
        self.parameters = [p for p in method.parameters()
                           if not p.stop_gradient]
        self.guard = Guard(method, skip_nonfinite)
        self.wait_seconds, self.images = 0.0, 0
        self.aside_seconds = 0.0
        self.learning_rate = None
        self._signal = 0

    def fit(self, loader, start_step=0):
        """Train from `start_step` to the end.

        Args:
            loader (iterable): yields the batches of the steps that are left,
                `accumulate_steps` for each.
            start_step (int): iterations that a checkpoint has behind it.
        Raises: Stopped after SIGINT or SIGTERM, when all hooks have seen
            `after_stop`.
        """
        handlers = {s: signal.signal(s, self._on_signal) for s in SIGNALS}
        for number in SIGNALS:  # a wait for other processes goes on
            signal.siginterrupt(number, False)
        try:
            for step in self.steps(loader, start_step):
                number = distributed.any_flag(self._signal)
                if number and step.it + 1 < self.total_steps:
                    for hook in self.hooks:
                        hook.after_stop(self, step)
                    raise Stopped(number, step.it + 1)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for hook in self.hooks:
                hook.after_training(self)

    def steps(self, loader, start_step=0):
        """Do the steps one by one; yields each Step when it is done."""
        self.method.train()
        for hook in self.hooks:
            hook.before_training(self, start_step)
        batches = iter(loader)
        for it in range(start_step, self.total_steps):
            step = self.step_of(it)
            terms = self.run_step(self._next(batches), step)
            for hook in self.hooks:
                hook.after_step(self, step, terms)
            yield step

    def step_of(self, it):
        """The Step of iteration `it`."""
        return Step(it=it, total=self.total_steps,
                    epoch=it // self.iters_per_epoch,
                    epochs=-(-self.total_steps // self.iters_per_epoch),
                    iters_per_epoch=self.iters_per_epoch)

    def run_step(self, batches, step):
        """One update of the weights.

        Returns: the last batch's terms; {} if the update was left out.
        """
        self.learning_rate = self.schedule(step.it)
        self.optimizer.set_lr(self.learning_rate)
        self.batch = batches[-1]
        self.guard.begin()
        for part, batch in enumerate(batches):
            seed_step(self.seed, step.it, part)
            with paddle.amp.auto_cast(**self.amp):
                terms = self.method(batch, step)
                loss = self.method.total_loss(terms) / len(batches)
            self.guard.see(terms)
            (self.scaler.scale(loss) if self.scaler else loss).backward()
        distributed.average_gradients(self.parameters)
        # The scaler looks at its gradients itself.
        if self.guard.refuses(step, () if self.scaler else self.parameters):
            self.optimizer.clear_grad()
            return {}
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.clear_grad()
        self.method.after_step(step)
        distributed.average_statistics(self.method)
        return terms

    def _next(self, batches):
        started = time.perf_counter()
        group = [next(batches) for _ in range(self.accumulate_steps)]
        self.wait_seconds += time.perf_counter() - started
        for batch in group:
            if not self.images:
                self._check_keys(batch)
            self.images += sum(len(next(iter(s.values())))
                               for s in batch.values())
        return group

    def _check_keys(self, batch):
        has = [f"{s}.{k}" for s, keys in batch.items() for k in keys]
        for key in self.method.requires:
            if key not in has:
                raise ConfigError(
                    f"method {type(self.method).__name__} needs the batch key "
                    f"'{key}', the batch has: {', '.join(has)}"
                    f"{nearest(key, has)}; set it up in "
                    f"{key.split('.')[0]}_dataset (views, crops, masks)")

    def _on_signal(self, number, frame):
        # Launchers repeat SIGTERM within a second; a second Ctrl-C is meant.
        if self._signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = self._signal or number

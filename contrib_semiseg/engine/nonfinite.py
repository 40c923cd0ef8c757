# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses, gradients and weights that are NaN or infinite."""

import math

import paddle

from contrib_semiseg.cvlibs.errors import UserError
from contrib_semiseg.engine import distributed
from contrib_semiseg.engine.console import say


class NonFinite(UserError):
    """A loss, a gradient or a weight is NaN or infinite."""


@paddle.no_grad()
def first_wrong(method, only=None):
    """Name of the first part of a method's state that is not finite, or None.

    Parameters, running statistics among them, have to be finite and buffers
    (memories) free of NaN.

    Args:
        method (Method): to look at.
        only (collection of str, optional): of these names alone.
    """
    parameters = {name for name, _ in method.named_parameters()}
    wrong = {
        name: (~paddle.isfinite(value) if name in parameters else
               paddle.isnan(value)).any()
        for name, value in method.state_dict().items()
        if value.is_floating_point() and (only is None or name in only)}
    if not wrong:
        return None
    # One copy to the host, however many parts there are.
    flags = paddle.stack(list(wrong.values())).numpy()
    return next((name for name, bad in zip(wrong, flags) if bad), None)


def check_state(method, done):
    """Refuse weights from which no run can go on, see `first_wrong`.

    A loss does not always tell: ReLU of Paddle turns NaN into 0 on a CPU.

    Args:
        method (Method): to look at.
        done (int): finished iterations, for the message.

    Raises: NonFinite.
    """
    name = first_wrong(method)
    if name is not None:
        raise NonFinite(
            f"iteration {done}: {name} is not finite, and not kept in a "
            "checkpoint; an earlier input or gradient was not: try a lower "
            "learning rate or a warm-up, or skip_nonfinite")


class Guard:
    """Leave out the updates whose loss or gradient is not finite.

    Such an update leaves no trace: the weights, the optimizer and `after_step`
    do not move, and what the forward pass changed (running statistics,
    memories) is put back. It costs a copy of these and a look at them and at
    the gradients in every step, so that it is an option.

    Args:
        method (Method): whose state is guarded.
        limit (int): updates that may be left out; 0 looks at nothing.

    Attributes:
        skipped (int): updates left out so far; part of a checkpoint.
    """

    def __init__(self, method, limit):
        self.method, self.limit, self.skipped = method, limit, 0
        self._kept, self._bad = {}, []

    @paddle.no_grad()
    def begin(self):
        """Called before the forward passes of an update."""
        self._bad = []
        if self.limit:
            self._kept = {
                name: value.clone() for name, value in
                self.method.state_dict().items() if value.stop_gradient}

    def see(self, terms):
        """Called with the terms of each of its batches."""
        if not self.limit:
            return
        losses = {k: float(v) for k, v in terms.items()
                  if k.startswith("loss_")}
        self._bad += [f"{k} = {v}" for k, v in losses.items()
                      if not math.isfinite(v)]

    def refuses(self, step, parameters):
        """Whether the update is left out, on all processes alike.

        Args:
            step (Step): the update's.
            parameters (sequence): whose averaged gradients are looked at.

        Raises: NonFinite, beyond the limit.
        """
        if not self.limit:
            return False
        if not self._bad and not _finite_gradients(parameters):
            self._bad.append("a gradient")
        if not self._bad:
            changed = first_wrong(self.method, self._kept)
            self._bad += [changed] if changed else []
        if not distributed.any_flag(int(bool(self._bad))):
            return False
        self._restore()
        self.skipped += 1
        found = ", ".join(dict.fromkeys(distributed.gather_lists(self._bad)))
        what = f"iteration {step.it + 1}: not finite: {found}"
        if self.skipped > self.limit:
            raise NonFinite(
                f"{what}; skip_nonfinite = {self.limit} updates were left "
                "out before; try a lower learning rate or a warm-up")
        say(f"[SKIP] {what}; the update is left out ({self.skipped} of at "
            f"most {self.limit})")
        return True

    @paddle.no_grad()
    def _restore(self):
        own = self.method.state_dict()
        for name, value in self._kept.items():
            own[name].set_value(value)


@paddle.no_grad()
def _finite_gradients(parameters):
    # The sum of squares of a finite gradient may overflow, so no norms.
    found = [paddle.isfinite(p.grad).all() for p in parameters
             if p.grad is not None]
    return bool(paddle.stack(found).all()) if found else True

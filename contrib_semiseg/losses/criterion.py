# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The supervised loss of a network with one or several outputs."""

from contrib_semiseg.cvlibs.errors import ConfigError


class Criterion:
    """sum_i coef_i * loss_i(output_i, label), as PaddleSeg's `loss` section.

    Args:
        losses (list[callable]): (logits [N, C, H, W], label [N, H, W] int64)
            to a scalar, or to a list of scalars that are summed (MixedLoss);
            one loss serves all outputs.
        coef (list[float]): one factor per output, the main output first.
    Raises: ConfigError if there are neither one nor len(coef) losses.
    """

    def __init__(self, losses, coef):
        losses = list(losses) * len(coef) if len(losses) == 1 else losses
        if len(losses) != len(coef):
            raise ConfigError(f"loss.coef has {len(coef)} items for "
                              f"{len(losses)} loss types")
        self.losses, self.coef = list(losses), list(coef)

    def __call__(self, outputs, label):
        """Return the weighted sum, a scalar Tensor.

        Args:
            outputs (list[Tensor] or Tensor): logits [N, C, H, W], the main
                ones first.
            label (Tensor): [N, H, W] int64 class indices or ignore_index.
        Raises: ConfigError if the network has not len(coef) outputs.
        """
        if not isinstance(outputs, (list, tuple)):
            outputs = [outputs]
        if len(outputs) != len(self.coef):
            example = [1] + [0.4] * (len(outputs) - 1)
            raise ConfigError(
                f"loss.coef = {self.coef} has {len(self.coef)} items, the "
                f"network has {len(outputs)} outputs; allowed: one item per "
                f"output, for example coef: {example}")
        total = 0.0
        for factor, loss, logits in zip(self.coef, self.losses, outputs):
            terms = loss(logits, label)
            for term in terms if isinstance(terms, list) else [terms]:
                total = total + factor * term
        return total

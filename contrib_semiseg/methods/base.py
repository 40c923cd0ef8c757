# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What every method is: networks, and the losses of one step."""

import dataclasses

from paddle import nn

from contrib_semiseg.methods.pseudo_labels import sure_labels
from contrib_semiseg.methods.teacher import predict


@dataclasses.dataclass(frozen=True)
class Step:
    """Where training stands: iteration `it` of `total`, from 0.

    Epoch `epoch` of `epochs`, from 0, each of `iters_per_epoch` iterations
    (the last one may be shorter).
    """

    it: int
    total: int
    epoch: int = 0
    epochs: int = 1
    iters_per_epoch: int = 1


class Method(nn.Layer):
    """Base of the methods.

    All that changes in training is a parameter or a buffer of the method, so
    that its `state_dict` resumes it. Networks return a list of logits
    [N, C, H, W] at input size, the main one first, as PaddleSeg's do.

    Attributes:
        requires (tuple[str]): the batch keys that `forward` reads, for
            example "labeled.img", "source.img"; a stream that no key names
            is not loaded.
        grad_scale (float): factor on the loss before the backward pass; the
            logged terms do not carry it.
    """

    requires = ()
    grad_scale = 1.0

    def forward(self, batch, step):
        """The losses of one step.

        Args:
            batch (dict): stream -> key -> Tensor, see `requires`.
            step (Step): where training stands.

        Returns: dict of named terms. `loss_*` are weighted scalars that are
            summed; `show_*` are maps or images for pictures; other scalars
            are only logged.
        """
        raise NotImplementedError

    def after_step(self, step):
        """Update what no gradient updates (EMA, queues); default: nothing."""

    def adopt(self, state):
        """Change a checkpoint's arrays where this run cannot take them over.

        Args:
            state (dict): name -> numpy array; changed in place.

        Returns: list of lines that say what was changed; default: none.
        """
        return []

    def notes(self):
        """Lines about the method that are printed as training starts."""
        return []

    def eval_network(self):
        """The image-to-logits layer that is evaluated, saved and exported."""
        raise NotImplementedError

    def pseudo_labels(self, images, step):
        """Labels that unlabelled images have in a step, for a diagnosis.

        Nothing is learned from them here. Called in eval mode and without
        gradient; draws nothing, changes nothing, asks no other process. Here:
        the evaluated network's labels of a probability of at least 0.95.

        Args:
            images (Tensor): float32 [N, 3, H, W], as validation shows them.
            step (Step): the step that was done.

        Returns: for each network that labels: (int64 [N, H, W], how much each
            pixel's label counts), the latter bool or float in [0, 1] of that
            shape or one number for all; empty where none is used yet.
        """
        return [sure_labels(predict(self.eval_network(), images), 0.95)]

    def total_loss(self, terms):
        """What is differentiated: `grad_scale` times the summed `loss_*`."""
        total = sum(v for k, v in terms.items() if k.startswith("loss_"))
        return total if self.grad_scale == 1.0 else self.grad_scale * total

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The baseline that every semi-supervised method has to beat."""

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.methods.base import Method


@manager.register(manager.METHODS)
class Supervised(Method):
    """One network, trained on the labelled images alone.

    Args:
        model (Layer): image to list of logits.
        criterion (callable): (list of logits, label) to a scalar.
    """

    requires = ("labeled.img", "labeled.label")

    def __init__(self, *, model, criterion):
        super().__init__()
        self.model, self.criterion = model, criterion

    def forward(self, batch, step):
        x = batch["labeled"]
        return {"loss_sup": self.criterion(self.model(x["img"]), x["label"])}

    def eval_network(self):
        return self.model

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""FixMatch: sure labels of a weak view teach a strong view.

Sohn et al., arXiv 2001.07685, in the form for segmentation from which Yang et
al., arXiv 2208.09910, start.
"""

import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.losses.consistency import (
    selected_cross_entropy,
    soft_dice,
)
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.pseudo_labels import (
    confidence,
    selected_share,
    sure_labels,
)
from contrib_semiseg.methods.strong_views import pasted_images, predict_source
from contrib_semiseg.methods.teacher import predict
from contrib_semiseg.mixing.paste import paste


@manager.register(manager.METHODS)
class FixMatch(Method):
    """One strong view, CutMixed, learns the labels of the weak one.

    The source of the paste is labelled in eval mode, the weak view itself in
    training mode and in one pass with the labelled images.

    Args:
        model (Layer): image to list of logits.
        criterion (callable): (list of logits, label) to a scalar.
        conf_thresh (float): labels of at least this probability count; 0
            takes every pixel that is no padding (the Cityscapes recipe).
        sup_weight, strong_weight (float): of the two terms.
        unlabeled_loss (str): "ce", nats per valid pixel; or "dice", without
            the unsure pixels (the release's medical variant).
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.weak",
                "unlabeled.strong1", "unlabeled.valid", "unlabeled.mask1",
                "source.weak", "source.strong1", "source.valid")
    views = ("1",)

    @check.arguments
    def __init__(self, *, model, criterion,
                 conf_thresh: check.PROBABILITY = 0.95,
                 sup_weight: check.Range(0) = 0.5,
                 strong_weight: check.Range(0) = 0.5,
                 unlabeled_loss: check.OneOf("ce", "dice") = "ce"):
        super().__init__()
        self.model, self.criterion = model, criterion
        self.conf_thresh = conf_thresh
        self.sup_weight, self.strong_weight = sup_weight, strong_weight
        self.unlabeled_loss = unlabeled_loss

    def forward(self, batch, step):
        x, u, source = batch["labeled"], batch["unlabeled"], batch["source"]
        pasted = self.source_labels(u, source)
        count = len(x["img"])
        logits = self.model(paddle.concat([x["img"], u["weak"]]))
        conf, label = confidence(logits[0][count:])
        own = conf, label, u["valid"]
        return {
            "loss_sup": self.sup_weight * self.criterion(
                [out[:count] for out in logits], x["label"]),
            **self.strong_terms(u, source, own, pasted),
            **self.shown(u, own),
        }

    def source_labels(self, u, source):
        """Confidence, label and valid of the source, None if not shown."""
        logits = predict_source(self.model, u, source, self.views)
        return None if logits is None else (*confidence(logits),
                                            source["valid"])

    def strong_terms(self, u, source, own, pasted):
        """A loss for each strong view: labels move with their pixels."""
        logits = self.model(pasted_images(u, source, self.views))[0]
        terms = {}
        for k, view in zip(self.views, logits.chunk(len(self.views))):
            targets = own if pasted is None else [
                paste(a, b, u[f"mask{k}"]) for a, b in zip(own, pasted)]
            terms[f"loss_strong{k}"] = self.strong_weight * \
                self.consistency(view, *targets)
        return terms

    def consistency(self, logits, conf, label, valid):
        """The unweighted loss on pseudo-labels."""
        sure = conf >= self.conf_thresh
        if self.unlabeled_loss == "dice":
            return soft_dice(logits, label, sure & valid)
        return selected_cross_entropy(logits, label, sure, valid)

    def shown(self, u, own):
        conf, label, valid = own
        sure = conf >= self.conf_thresh
        return {"mask_ratio": selected_share(sure, valid),
                "show_image": u["weak"], "show_pseudo_label": label}

    def pseudo_labels(self, images, step):
        return [sure_labels(predict(self.model, images), self.conf_thresh)]

    def eval_network(self):
        return self.model

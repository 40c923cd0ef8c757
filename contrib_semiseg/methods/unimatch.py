# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""UniMatch: two strong views and a stream of dropped features.

Yang, Qi, Feng, Zhang, Shi: Revisiting Weak-to-Strong Consistency in
Semi-Supervised Semantic Segmentation. CVPR 2023, arXiv 2208.09910.
"""

import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.methods.fixmatch import FixMatch
from contrib_semiseg.methods.pseudo_labels import confidence
from contrib_semiseg.methods.strong_views import dropout_streams


@manager.register(manager.METHODS)
class UniMatch(FixMatch):
    """FixMatch with a second strong view, and with dropped features.

    Labelled and weak images share one pass of the encoder; the decoder reads
    their features and a copy without some channels. Arguments as in
    FixMatch, and:

    Args:
        strong_weight (float): of each strong view.
        feature_weight (float): of the dropped features' term.
        feature_dropout (float): probability with which a channel is dropped.
    """

    requires = (*FixMatch.requires, "unlabeled.strong2", "unlabeled.mask2",
                "source.strong2")
    views = ("1", "2")

    @check.arguments
    def __init__(self, *, model, criterion,
                 conf_thresh: check.PROBABILITY = 0.95,
                 sup_weight: check.Range(0) = 0.5,
                 strong_weight: check.Range(0) = 0.125,
                 feature_weight: check.Range(0) = 0.25,
                 feature_dropout: check.PROBABILITY = 0.5,
                 unlabeled_loss: check.OneOf("ce", "dice") = "ce"):
        super().__init__(model=model, criterion=criterion,
                         conf_thresh=conf_thresh, sup_weight=sup_weight,
                         strong_weight=strong_weight,
                         unlabeled_loss=unlabeled_loss)
        self.feature_weight = feature_weight
        self.perturb = dropout_streams(model, feature_dropout)

    def forward(self, batch, step):
        x, u, source = batch["labeled"], batch["unlabeled"], batch["source"]
        pasted = self.source_labels(u, source)
        count, size = len(x["img"]), x["img"].shape[2:]
        scores = self.model(paddle.concat([x["img"], u["weak"]]),
                            outputs=["scores"], perturb=self.perturb)
        clean, dropped = scores["scores"].chunk(2)
        # The labelled images' dropped features matter to BatchNorm alone, so
        # that their logits stay small; no gradient enters the weak ones.
        conf, label = confidence(self.model.enlarge(
            clean[count:].detach(), size))
        own = conf, label, u["valid"]
        return {
            "loss_sup": self.sup_weight * self.criterion(
                [self.model.enlarge(clean[:count], size)], x["label"]),
            **self.strong_terms(u, source, own, pasted),
            "loss_feature": self.feature_weight * self.consistency(
                self.model.enlarge(dropped[count:], size), *own),
            **self.shown(u, own),
        }

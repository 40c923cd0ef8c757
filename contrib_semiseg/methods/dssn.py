# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DSSN: a teacher labels strong views, the student its own dropped features.

Tian, Zhang, Zhang, Zhan: Improving semi-supervised semantic segmentation with
dual-level Siamese structure network. ACM MM 2023, arXiv 2307.13938.
"""

import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.losses.consistency import (
    alignment,
    selected_cross_entropy,
)
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.pseudo_labels import (
    hard_label,
    selected_share,
    selector,
)
from contrib_semiseg.methods.strong_views import (
    dropout_streams,
    pasted_images,
    predict_source,
    same_content,
)
from contrib_semiseg.methods.teacher import as_teacher, ema_update, predict
from contrib_semiseg.mixing.paste import paste


@manager.register(manager.METHODS)
class DSSN(Method):
    """Pseudo-labels and aligned pairs at the image and the feature level.

    Two CutMixed strong views learn the teacher's labels of the mixed image;
    two copies of the weak view's features without some channels learn the
    student's own; the logits of each pair are aligned. The teacher averages
    the student, BatchNorm included.

    Args:
        make_model (callable): makes a network; called for student, teacher.
        criterion (callable): (list of logits, label) to a scalar.
        selection (str): "class_relative" with `floor` and `fraction` (VOC),
            or "threshold" with `conf_thresh`, 0 taking all (Cityscapes).
        sup_weight, label_weight, align_weight (float): of the supervised
            term, of each of four pseudo-label terms and of two alignments.
        align_eps (float): see `alignment`; the release has 0.
        align_masked (bool): align only where both views show the same
            content and no padding; the release aligns every pixel.
        feature_dropout (float): probability with which a channel is dropped.
        keep_rate (float): share of the teacher that an update keeps.
        warmup_iters, warmup_epochs (int): until both are over, strong views
            have no label term and the teacher copies the student. VOC: 1 and
            0; Cityscapes: 0 and 5.
        teacher_mode (str): "first_epoch" keeps the teacher in training mode
            for one epoch, as the release does; "eval" never.
        evaluated (str): "student" or "teacher".
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.weak",
                "unlabeled.strong1", "unlabeled.strong2", "unlabeled.valid",
                "unlabeled.mask1", "unlabeled.mask2", "source.weak",
                "source.strong1", "source.strong2", "source.valid")

    @check.arguments
    def __init__(self, *, make_model, criterion,
                 selection: check.OneOf("class_relative",
                                        "threshold") = "class_relative",
                 floor: check.PROBABILITY = 0.92,
                 fraction: check.PROBABILITY = 0.96,
                 conf_thresh: check.PROBABILITY = 0.0,
                 sup_weight: check.Range(0) = 0.5,
                 label_weight: check.Range(0) = 0.125,
                 align_weight: check.Range(0) = 0.005,
                 align_eps: check.Range(0) = 1e-8,
                 align_masked: check.BOOL = False,
                 feature_dropout: check.PROBABILITY = 0.5,
                 keep_rate: check.PROBABILITY = 0.996,
                 warmup_iters: check.Range(0, integer=True) = 1,
                 warmup_epochs: check.Range(0, integer=True) = 0,
                 teacher_mode: check.OneOf("first_epoch",
                                           "eval") = "first_epoch",
                 evaluated: check.OneOf("student", "teacher") = "student"):
        super().__init__()
        self.student, self.teacher = make_model(), as_teacher(make_model())
        self.criterion = criterion
        self.select = selector(selection, floor=floor, fraction=fraction,
                               conf_thresh=conf_thresh)
        self.sup_weight, self.label_weight = sup_weight, label_weight
        self.align_weight, self.align_eps = align_weight, align_eps
        self.align_masked = align_masked
        self.perturb = dropout_streams(self.student, feature_dropout, 2)
        self.keep_rate = keep_rate
        self.warmup = warmup_iters, warmup_epochs
        self.teacher_mode, self.evaluated = teacher_mode, evaluated

    def is_warm_up(self, step):
        iters, epochs = self.warmup
        return step.it < iters or step.epoch < epochs

    def forward(self, batch, step):
        x, u, source = batch["labeled"], batch["unlabeled"], batch["source"]
        count, size = len(x["img"]), x["img"].shape[2:]
        # In the warm-up no loss asks the teacher, which is then overwritten.
        asked = not self.is_warm_up(step)
        source_logits = self.ask_source(u, source, step) if asked else None
        scores = self.student(paddle.concat([x["img"], u["weak"]]),
                              outputs=["scores"], perturb=self.perturb)
        clean, *dropped = scores["scores"].chunk(3)
        sup = self.criterion([self.student.enlarge(clean[:count], size)],
                             x["label"])
        strong = self.student(pasted_images(u, source, "12"))[0].chunk(2)
        terms = {"loss_sup": self.sup_weight * sup}
        if asked:
            terms.update(self.strong_terms(strong, u, source, source_logits,
                                           step))
        # The student's own clean logits label its dropped features.
        weak = self.student.enlarge(clean[count:].detach(), size)
        label, selected = hard_label(weak), self.select(weak)
        dropped = [self.student.enlarge(d[count:], size) for d in dropped]
        for k, logits in zip("12", dropped):
            terms[f"loss_feature{k}"] = self.label_weight * \
                selected_cross_entropy(logits, label, selected, u["valid"])
        return {**terms, **self.aligned(strong, dropped, u, source),
                "mask_ratio": selected_share(selected, u["valid"]),
                "show_image": u["weak"], "show_pseudo_label": label}

    def in_training(self, step):
        """The mode of the teacher's passes."""
        return self.teacher_mode == "first_epoch" and step.epoch == 0

    def ask_source(self, u, source, step):
        """The teacher's logits of the paste source, None if not shown."""
        if self.in_training(step):
            return predict(self.teacher, source["weak"], training=True)
        return predict_source(self.teacher, u, source, "12")

    def strong_terms(self, strong, u, source, source_logits, step):
        """Selection and labels come from the logits of the mixed image."""
        own = predict(self.teacher, u["weak"],
                      training=self.in_training(step))
        terms = {}
        for k, logits in zip("12", strong):
            mixed, valid = own, u["valid"]
            if source_logits is not None:
                mixed = paste(own, source_logits, u[f"mask{k}"])
                valid = paste(valid, source["valid"], u[f"mask{k}"])
            terms[f"loss_strong{k}"] = self.label_weight * \
                selected_cross_entropy(logits, hard_label(mixed),
                                       self.select(mixed), valid)
        return terms

    def aligned(self, strong, dropped, u, source):
        used = ((same_content(u, source), u["valid"]) if self.align_masked
                else (None, None))
        return {f"loss_align_{level}": self.align_weight * alignment(
                    *pair, eps=self.align_eps, used=pixels)
                for level, pair, pixels in zip(
                    ("image", "feature"), (strong, dropped), used)}

    def pseudo_labels(self, images, step):
        networks = [self.student] if self.is_warm_up(step) else [
            self.teacher, self.student]
        logits = [predict(network, images) for network in networks]
        return [(hard_label(out), self.select(out)) for out in logits]

    def after_step(self, step):
        keep = 0.0 if self.is_warm_up(step) else self.keep_rate
        ema_update(self.teacher, self.student, keep)

    def eval_network(self):
        return getattr(self, self.evaluated)

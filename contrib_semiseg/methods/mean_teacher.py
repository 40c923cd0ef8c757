# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Mean teacher: the average of a student labels what the student sees.

Tarvainen, Valpola: Mean teachers are better role models. NIPS 2017, arXiv
1703.01780; with a mask, the CutMix mean teacher of French et al., arXiv
1906.01916.
"""

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.methods import mixed_views, pseudo_labels
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.mixed_views import Consistency, MixedViews
from contrib_semiseg.methods.teacher import TeacherRule, predict


@manager.register(manager.METHODS)
class MeanTeacher(Method):
    """One student, and a teacher that averages it.

    The teacher sees the unlabelled images as they are; the student sees
    them mixed and strongly changed, and learns the teacher's mixed soft
    labels. Its labelled and mixed images pass apart.

    Args:
        make_model (callable): makes a network; called for student, teacher.
        criterion (callable): (list of logits, label) to a scalar.
        num_classes (int): C.
        normalization (tuple, optional), mixed_transforms (list),
        mirror_prob (float): see `MixedViews`.
        mask (str, optional): see `MixedViews`; null: the method's own.
        consistency (str): "ce" or "mse", see `Consistency`.
        consistency_weight (float): of that term.
        pixel_weight (str), conf_thresh (float), ramp_iters (int): see
            `pseudo_labels.pixel_weight`.
        ema_decay (float): largest share of the teacher that an update keeps.
        teacher_mode (str), teacher_buffers (str): see `TeacherRule`. "train"
            and "own" are the ClassMix and CTT releases'.
        evaluated (str): "student" or "teacher", which has good running
            statistics only where its buffers are averaged.
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.img")
    own_mask = "none"

    @check.arguments
    def __init__(self, *, make_model, criterion,
                 num_classes: check.Range(2, integer=True),
                 normalization=None,
                 mask: check.OneOf(None, *mixed_views.MASKS) = None,
                 mixed_transforms=mixed_views.TRANSFORMS,
                 mirror_prob: check.PROBABILITY = 0.0,
                 consistency: check.OneOf("ce", "mse") = "ce",
                 consistency_weight: check.Range(0) = 1.0,
                 pixel_weight: check.OneOf(*pseudo_labels.WEIGHTS) =
                 "threshold_uniform",
                 conf_thresh: check.PROBABILITY = 0.968,
                 ramp_iters: check.Range(1, integer=True) = 10000,
                 ema_decay: check.PROBABILITY = 0.99,
                 teacher_mode: check.OneOf("train", "eval") = "train",
                 teacher_buffers: check.OneOf("own", "averaged") = "own",
                 evaluated: check.OneOf("student", "teacher") = "student"):
        super().__init__()
        self.rule = TeacherRule(ema_decay, teacher_mode, teacher_buffers)
        self.student = make_model()
        self.teacher = self.rule.make(make_model, self.student)
        self.criterion = criterion
        self.views = MixedViews(
            mask or self.own_mask, mixed_transforms, mirror_prob,
            num_classes=num_classes, normalization=normalization)
        self.consistency = Consistency(
            consistency, consistency_weight, pixel_weight=pixel_weight,
            conf_thresh=conf_thresh, ramp_iters=ramp_iters)
        self.evaluated = evaluated

    def forward(self, batch, step):
        x, u = batch["labeled"], batch["unlabeled"]["img"]
        supervised = self.criterion(self.student(x["img"]), x["label"])
        view = self.views(u, predict(self.teacher, u,
                                     training=self.rule.training))
        logits = self.student(view.images)[0]
        return {
            "loss_sup": supervised,
            "loss_consistency": self.consistency(logits, view, step),
            "mask_ratio": self.consistency.sure_share(view),
            "show_image": view.images,
            "show_pseudo_label": view.label,
        }

    def pseudo_labels(self, images, step):
        return [self.consistency.labels(predict(self.teacher, images), step)]

    def after_step(self, step):
        self.rule.update(self.teacher, self.student, step)

    def eval_network(self):
        return getattr(self, self.evaluated)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CTT: two students, each labelled by the other one's teacher.

Xiao, Dong, Xu, Fu, Yan, Song, Peng: Semi-supervised semantic segmentation
with cross teacher training. Neurocomputing 508 (2022), arXiv 2209.01327.
"""

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.methods import mixed_views, pseudo_labels
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.features import (
    check_features,
    features_of,
    logits_of,
    with_backbone,
)
from contrib_semiseg.methods.mixed_views import Consistency, MixedViews
from contrib_semiseg.methods.peer_contrast import PeerContrast
from contrib_semiseg.methods.teacher import (
    TeacherRule,
    predict,
    predict_outputs,
)


@manager.register(manager.METHODS)
class CTT(Method):
    """Cross teacher training with contrast at two levels.

    Arguments as in MeanTeacher, each student having a mask and colours of
    its own, and:

    Args:
        ignore_index (int): of the labels.
        pretrained_l, pretrained_r (str, optional): weights of a student's
            backbone, in place of those of the section model.
        shared_mask (bool): one mask for both students; else the low level
            pairs pixels that may show different images, as in the release.
        high_weight, low_weight (float): of the contrastive terms; 0 for both
            is the release since its second version, without banks.
        anchor_thresh (float), low_pixels (str), temperatures (list of two),
        bank_rows, bank_quota (int), bank_score (str), bank_thresh (float):
            see `PeerContrast`. The release's quota is 2 * bank_rows //
            labelled images, and at least the batch size.
        evaluated (str): student_l, student_r, teacher_l or teacher_r.

    Raises: ConfigError for a network without features.
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.img")

    @check.arguments
    def __init__(self, *, make_model, criterion,
                 num_classes: check.Range(2, integer=True),
                 ignore_index=255, normalization=None,
                 pretrained_l: check.Text(optional=True) = None,
                 pretrained_r: check.Text(optional=True) = None,
                 mask: check.OneOf(*mixed_views.MASKS) = "class",
                 shared_mask: check.BOOL = False,
                 mixed_transforms=mixed_views.TRANSFORMS,
                 mirror_prob: check.PROBABILITY = 0.0,
                 consistency: check.OneOf("ce", "mse") = "ce",
                 consistency_weight: check.Range(0) = 1.0,
                 pixel_weight: check.OneOf(*pseudo_labels.WEIGHTS) =
                 "threshold_uniform",
                 conf_thresh: check.PROBABILITY = 0.968,
                 ramp_iters: check.Range(1, integer=True) = 10000,
                 high_weight: check.Range(0) = 0.1,
                 low_weight: check.Range(0) = 0.1,
                 anchor_thresh: check.PROBABILITY = 0.75,
                 low_pixels: check.OneOf("all", "directional") = "all",
                 temperatures: check.ListOf(
                     check.Range(0, exclude_low=True), 2) = (0.1, 0.5),
                 bank_rows: check.Range(1, integer=True) = 256,
                 bank_quota: check.Range(1, integer=True) = 2,
                 bank_score: check.OneOf("logit", "softmax") = "logit",
                 bank_thresh: check.Range() = 0.95,
                 ema_decay: check.PROBABILITY = 0.99,
                 teacher_mode: check.OneOf("train", "eval") = "train",
                 teacher_buffers: check.OneOf("own", "averaged") = "own",
                 evaluated: check.OneOf("student_l", "student_r", "teacher_l",
                                        "teacher_r") = "student_l"):
        super().__init__()
        self.rule = TeacherRule(ema_decay, teacher_mode, teacher_buffers)
        self.student_l, self.student_r = make_model(), make_model()
        check_features(self.student_l, "contrast")
        with_backbone(self.student_l, pretrained_l)
        with_backbone(self.student_r, pretrained_r)
        self.teacher_l = self.rule.make(make_model, self.student_l)
        self.teacher_r = self.rule.make(make_model, self.student_r)
        self.criterion, self.shared_mask = criterion, shared_mask
        self.views = MixedViews(mask, mixed_transforms, mirror_prob,
                                num_classes=num_classes,
                                normalization=normalization)
        self.consistency = Consistency(
            consistency, consistency_weight, pixel_weight=pixel_weight,
            conf_thresh=conf_thresh, ramp_iters=ramp_iters)
        self.contrast = PeerContrast(
            num_classes=num_classes, ignore_index=ignore_index,
            width=self.student_l.feature_width, rows=bank_rows,
            quota=bank_quota, score=bank_score, least=bank_thresh,
            conf_thresh=anchor_thresh, temperatures=temperatures,
            low_pixels=low_pixels, weights={
                "high": high_weight, "low": low_weight},
        ) if high_weight or low_weight else None
        self.evaluated, self.labeled = evaluated, []

    def forward(self, batch, step):
        x, u = batch["labeled"], batch["unlabeled"]["img"]
        students = self.student_l, self.student_r
        own = [features_of(student, x["img"]) for student in students]
        # Each teacher labels the images of the other one's student.
        view_l = self.view_by(self.teacher_r, u)
        out_l = features_of(self.student_l, view_l.images)
        view_r = self.view_by(self.teacher_l, u,
                              view_l.mask if self.shared_mask else None)
        out_r = features_of(self.student_r, view_r.images)
        views, outs, terms = (view_l, view_r), (out_l, out_r), {}
        for name, student, one, two, view in zip("lr", students, own, outs,
                                                 views):
            terms[f"loss_sup_{name}"] = self.criterion(
                logits_of(student, one, x["label"].shape[1:]), x["label"])
            terms[f"loss_cross_{name}"] = self.consistency(
                student.enlarge(two["scores"], u.shape[2:]), view, step)
        if self.contrast is not None:
            terms.update(self.contrast(own, outs, views, x["label"]))
            self.labeled.append(x)
        return {**terms,
                "mask_ratio": sum(map(self.consistency.sure_share, views)) / 2,
                "show_image": view_l.images,
                "show_pseudo_label": view_l.label}

    def view_by(self, teacher, u, mask=None):
        return self.views(u, predict(teacher, u, training=self.rule.training),
                          mask)

    def pseudo_labels(self, images, step):
        return [self.consistency.labels(predict(teacher, images), step)
                for teacher in (self.teacher_l, self.teacher_r)]

    def after_step(self, step):
        self.rule.update(self.teacher_l, self.student_l, step)
        self.rule.update(self.teacher_r, self.student_r, step)
        # The averaged teachers look at the labelled images of this step.
        for x in self.labeled:
            for k, teacher in enumerate((self.teacher_l, self.teacher_r)):
                out = predict_outputs(teacher, x["img"],
                                      ["scores", "feature"],
                                      training=self.rule.training)
                self.contrast.remember(k, out, x["label"])
        self.labeled.clear()

    def notes(self):
        return [] if self.contrast is None else [
            bank.note() for bank in self.contrast.banks]

    def eval_network(self):
        return getattr(self, self.evaluated)

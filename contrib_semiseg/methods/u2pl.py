# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL: reliable pixels are labelled, unreliable ones are negatives.

Wang et al.: Semi-Supervised Semantic Segmentation Using Unreliable
Pseudo-Labels. CVPR 2022, arXiv 2203.03884.
"""

import paddle
import paddle.nn.functional as F
from paddle import distributed as dist

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.losses.consistency import kept_cross_entropy
from contrib_semiseg.losses.entropy import entropy, percentiles
from contrib_semiseg.losses.prototype_contrast import contrast_masks
from contrib_semiseg.methods.batch_mixing import BatchMixing
from contrib_semiseg.methods.class_contrast import ClassContrast
from contrib_semiseg.methods.pseudo_labels import hard_label
from contrib_semiseg.methods.teacher import predict
from contrib_semiseg.methods.warm_teacher import WarmTeacher

_COUNT, _PERCENT = check.Range(1, integer=True), check.Range(0, 100)


@manager.register(manager.METHODS)
class U2PL(WarmTeacher):
    """The teacher's labels of low entropy, and a contrast with the others.

    Args:
        make_model, criterion, sup_only_epoch, ema_decay: see `WarmTeacher`.
        strong, strong_prob: see `BatchMixing`.
        unsup_weight (float): of the term on pseudo-labels.
        contrast_weight (float): of the contrast. 1 in the release, which then
            divides the gradient by its number of processes: 0.25 on VOC,
            0.125 on Cityscapes; 0.1 in the paper.
        divide_contrast (bool): divide it by the number of processes.
        drop_percent (float): labels above this percentile of the entropy are
            left out; it rises to 100 by the end.
        low_entropy_percent (float): of pixels that count as of low and as of
            high entropy in the contrast; it falls to 0 by the end.
        negative_high_entropy (bool): else any unlabelled pixel is as if of
            high entropy.
        contrast_mode (str): "upstream", as released, with three slips:
            `merged` of `class_masks`, `by_label` of `negative_masks` and
            `by_position` of `ClassContrast`; or "paper", without them.
        low_rank, high_rank, anchor_thresh, queries, negatives, temperature:
            see `ClassContrast`, whose `largest` is `negative_thresh`.
        first_bank_rows, bank_rows (int): memory of class 0, of each other.
        bank_device (str, optional): see `RowQueue`.
        anchor_ema (bool): average the class' means over the iterations.
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.img")

    @check.arguments
    def __init__(self, *, make_model, criterion, num_classes, ignore_index=255,
                 sup_only_epoch: check.Range(0, integer=True) = 1,
                 ema_decay: check.PROBABILITY = 0.99,
                 strong: check.OneOf("cutmix", "cutout", "classmix",
                                     "none") = "cutmix",
                 strong_prob: check.PROBABILITY = 0.5,
                 unsup_weight: check.Range(0) = 1.0,
                 contrast_weight: check.Range(0) = 0.25,
                 divide_contrast: check.BOOL = False,
                 drop_percent: _PERCENT = 80,
                 low_entropy_percent: _PERCENT = 20,
                 negative_high_entropy: check.BOOL = True,
                 contrast_mode: check.OneOf("upstream", "paper") = "upstream",
                 low_rank: _COUNT = 3, high_rank: _COUNT = 20,
                 anchor_thresh: check.PROBABILITY = 0.3,
                 negative_thresh: check.PROBABILITY = 1.0,
                 queries: _COUNT = 256, negatives: _COUNT = 50,
                 temperature: check.Range(0, exclude_low=True) = 0.5,
                 first_bank_rows: _COUNT = 50000, bank_rows: _COUNT = 30000,
                 bank_device: check.OneOf(None, "cpu") = None,
                 anchor_ema: check.BOOL = False):
        super().__init__(make_model=make_model, criterion=criterion,
                         sup_only_epoch=sup_only_epoch, ema_decay=ema_decay)
        self.ignore_index = ignore_index
        self.mix = BatchMixing(strong, strong_prob, num_classes=num_classes,
                               ignore_index=ignore_index)
        self.unsup_weight, self.drop_percent = unsup_weight, drop_percent
        self.contrast_weight = contrast_weight / (
            dist.get_world_size() if divide_contrast else 1)
        self.low_entropy_percent = low_entropy_percent
        released = contrast_mode == "upstream"
        self.mask_rule = dict(
            num_classes=num_classes, ignore_index=ignore_index,
            merged=released, any_high=not negative_high_entropy)
        self.contrast = ClassContrast(
            num_classes=num_classes, width=self.width, low_rank=low_rank,
            high_rank=high_rank, largest=negative_thresh,
            by_label=released, by_position=released,
            anchor_thresh=anchor_thresh, queries=queries, negatives=negatives,
            temperature=temperature, average=anchor_ema, device=bank_device,
            capacities=[first_bank_rows] + [bank_rows] * (num_classes - 1))

    def percents(self, step):
        """Percentiles of the entropy: dropped above, low below, high above."""
        left = 1 - step.epoch / step.epochs
        low = self.low_entropy_percent * left
        return 100 - (100 - self.drop_percent) * left, low, 100 - low

    def forward(self, batch, step):
        x, u = batch["labeled"], batch["unlabeled"]["img"]
        if step.epoch < self.sup_only_epoch:
            return self.warm_up(x)
        self.start_teacher(step)
        # The label is that of the clean image in eval mode; entropy, ranks
        # and features come from what the student sees, in training mode.
        u, label = self.mix(u, hard_label(predict(self.teacher, u)))
        images, count = paddle.concat([x["img"], u]), len(x["img"])
        own = self.student(images, outputs=self.outputs)
        seen = self.ask_teacher(images, "scores", "embedding")
        enlarge, size = self.student.enlarge, label.shape[1:]
        entropies = entropy(enlarge(seen["scores"][count:], size))
        used = label != self.ignore_index
        drop, *limits = percentiles(entropies, used, self.percents(step))
        kept = used & (entropies < drop)
        masks, low, high = contrast_masks(
            x["label"], label, entropies, limits, seen["scores"].shape[2:],
            **self.mask_rule)
        return {
            "loss_sup": self.supervised(own, x["label"]),
            "loss_unsup": self.unsup_weight * kept_cross_entropy(
                enlarge(own["scores"][count:], size), label, kept),
            "loss_contrast": self.contrast_weight * self.contrast(
                own["embedding"], seen["embedding"],
                F.softmax(seen["scores"], axis=1), masks, low, high,
                labeled=count, count=self.since_warm_up(step)),
            "kept_share": kept.astype("float32").mean(),
            "show_image": u,
            "show_pseudo_label": label,
        }

    def pseudo_labels(self, images, step):
        if step.epoch < self.sup_only_epoch:
            return []
        logits = predict(self.teacher, images)
        entropies = entropy(logits)
        drop, = percentiles(entropies, paddle.ones_like(entropies, "bool"),
                            self.percents(step)[:1])
        return [(hard_label(logits), entropies < drop)]

    def notes(self):
        return [self.contrast.memory.note()]

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CPS: two networks that learn from each other's hard labels.

Chen, Yuan, Zeng, Wang: Semi-Supervised Semantic Segmentation with Cross
Pseudo Supervision. CVPR 2021, arXiv 2106.01226.
"""

import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.losses.cross_entropy import cross_entropy
from contrib_semiseg.methods.base import Method
from contrib_semiseg.methods.pseudo_labels import agreement, hard_label
from contrib_semiseg.methods.teacher import predict
from contrib_semiseg.mixing.paste import paste


@manager.register(manager.METHODS)
class CPS(Method):
    """Cross pseudo supervision on labelled and unlabelled images together.

    Args:
        make_model (callable): makes a network; called once a branch. The
            branches differ by the random draw of their heads alone.
        criterion (callable): (list of logits, label) to a scalar, for the
            labelled images; the cross term is always plain cross-entropy.
        cps_weight (float): lambda of eq. 4. One mean runs over labelled and
            unlabelled pixels together, as in the release; the paper adds two
            means, which is twice that for batches of equal size.
        grad_scale (float): factor on the loss before the backward pass. The
            release trains with 1/W of the gradient of the mean loss, W = 4
            (VOC) or 8 (Cityscapes) being its number of GPUs; 1 leaves the
            gradient as it is.
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.img")

    @check.arguments
    def __init__(self, *, make_model, criterion,
                 cps_weight: check.Range(0) = 1.5,
                 grad_scale: check.Range(0, exclude_low=True) = 1.0):
        super().__init__()
        self.branch1, self.branch2 = make_model(), make_model()
        self.criterion = criterion
        self.cps_weight, self.grad_scale = cps_weight, grad_scale

    def forward(self, batch, step):
        x, u = batch["labeled"], batch["unlabeled"]["img"]
        # Separate passes: BatchNorm normalises each batch by itself, and its
        # running statistics see the labelled one first.
        out_x1, out_u1 = self.branch1(x["img"]), self.branch1(u)
        out_x2, out_u2 = self.branch2(x["img"]), self.branch2(u)
        logits1 = paddle.concat([out_x1[0], out_u1[0]])
        logits2 = paddle.concat([out_x2[0], out_u2[0]])
        label1, label2 = hard_label(logits1), hard_label(logits2)
        return {
            "loss_sup1": self.criterion(out_x1, x["label"]),
            "loss_sup2": self.criterion(out_x2, x["label"]),
            "loss_cps": self.cross(logits1, logits2, label1, label2),
            "agreement": agreement(label1, label2),
            "show_image": u,
            "show_pseudo_label": label1[-len(u):],
        }

    def cross(self, logits1, logits2, label1, label2):
        """Weighted: each branch learns the other's labels, on every pixel."""
        return self.cps_weight * (cross_entropy(logits1, label2) +
                                  cross_entropy(logits2, label1))

    def pseudo_labels(self, images, step):
        return [(hard_label(predict(branch, images)), 1.0)
                for branch in (self.branch1, self.branch2)]

    def eval_network(self):
        return self.branch1


@manager.register(manager.METHODS)
class CPSCutMix(CPS):
    """CPS whose cross term acts on CutMixed unlabelled images alone.

    The labels of a mixed image are the mixed logits of its two sources; these
    passes carry no gradient but update BatchNorm. Arguments as in CPS (the
    release's `cps_weight`: 1 on VOC, 5 on Cityscapes). That the release mixes
    two crops of the same image is `unlabeled_dataset.same_image_mix`.
    """

    requires = ("labeled.img", "labeled.label", "unlabeled.img",
                "unlabeled.mask", "source.img")

    @check.arguments
    def __init__(self, *, make_model, criterion,
                 cps_weight: check.Range(0) = 1.0,
                 grad_scale: check.Range(0, exclude_low=True) = 1.0):
        super().__init__(make_model=make_model, criterion=criterion,
                         cps_weight=cps_weight, grad_scale=grad_scale)

    def forward(self, batch, step):
        x, source = batch["labeled"], batch["source"]["img"]
        u, mask = batch["unlabeled"]["img"], batch["unlabeled"]["mask"]
        mixed = paste(u, source, mask)
        label1 = self.mixed_label(self.branch1, u, source, mask)
        label2 = self.mixed_label(self.branch2, u, source, mask)
        logits1, logits2 = self.branch1(mixed)[0], self.branch2(mixed)[0]
        return {
            "loss_cps": self.cross(logits1, logits2, label1, label2),
            "loss_sup1": self.criterion(self.branch1(x["img"]), x["label"]),
            "loss_sup2": self.criterion(self.branch2(x["img"]), x["label"]),
            "agreement": agreement(label1, label2),
            "show_image": mixed,
            "show_pseudo_label": label1,
        }

    @staticmethod
    @paddle.no_grad()
    def mixed_label(branch, own, other, mask):
        """Hard labels [N, H, W] of the mixed logits, in training mode."""
        return hard_label(paste(branch(own)[0], branch(other)[0], mask))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CTT: mixing, colours, losses, contrast with its banks, and the teacher."""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.losses.bank_contrast import (
    bank_contrast,
    class_mean,
    labeled_rows,
    unit_rows,
)
from contrib_semiseg.losses.consistency import (
    weighted_cross_entropy,
    weighted_squares,
)
from contrib_semiseg.losses.criterion import Criterion
from contrib_semiseg.losses.cross_entropy import CrossEntropyLoss
from contrib_semiseg.losses.directional_contrast import contrast
from contrib_semiseg.losses.prototype_contrast import nearest, pixel_rows
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.ctt import CTT
from contrib_semiseg.methods.peer_contrast import PeerContrast, Seen
from contrib_semiseg.methods.pseudo_labels import pixel_weight, sigmoid_ramp
from contrib_semiseg.methods.teacher import TeacherRule, rising_keep
from contrib_semiseg.mixing.batch_color import (
    BatchColorJitter,
    BatchGaussianBlur,
    BatchJitter,
    change_batch,
    gaussian_blur,
    kernel_size,
)
from contrib_semiseg.mixing.boxes import (
    boxes_to_mask,
    draw_half_boxes,
    half_box_height,
)
from contrib_semiseg.mixing.class_mask import choose_half, class_mask
from contrib_semiseg.mixing.cow import cow_mask
from contrib_semiseg.mixing.paste import paste_next
from tests.golden.case import handles
from tests.support.recorded import Recorded, chosen_mask
from tests.support.replay import factory

_WEIGHTS = {"threshold": "confidence_power", False: "none"}


def long(case, name):
    return paddle.to_tensor(case[name].astype(np.int64))


class _Small(nn.Layer):

    def __init__(self, case, who):
        super().__init__()
        kernel = case[f"in_{who}_conv.weight"].shape
        self.a = self.create_parameter(case[f"in_{who}_a"].shape)
        self.conv = nn.Conv2D(kernel[1], kernel[0], kernel[2])
        self.bn = nn.BatchNorm2D(kernel[0])
        for name, value in self.named().items():
            value.set_value(case[f"in_{who}_{name}"])
        for name, value in self.statistics().items():
            value.set_value(case[f"in_{who}_buf_bn.{name}"])

    def named(self):
        return {name: p for name, p in self.named_parameters()
                if not name.endswith(("_mean", "_variance"))}

    def statistics(self):
        return {"running_mean": self.bn._mean, "running_var":
                self.bn._variance}


@handles("ctt", "ema_update")
def ema(case):
    rule = TeacherRule(case.params["alpha_cap"], "train", "own")
    steps = case["in_iters"].tolist()
    case.check("out_alpha", np.array([
        rising_keep(it, case.params["alpha_cap"]) for it in steps]))
    for it in steps:
        teacher, student = _Small(case, "teacher"), _Small(case, "student")
        rule.update(teacher, student, Step(it=it, total=1 + max(steps)))
        for name, value in teacher.named().items():
            case.check(f"out_teacher_{name}_it{it}", value)
        for name, value in teacher.statistics().items():
            case.check(f"out_teacher_buf_bn.{name}", value)
    # Paddle's BatchNorm counts no batches.
    case.mark("out_teacher_buf_bn.num_batches_tracked")


@handles("ctt", "sigmoid_ramp")
def ramp(case):
    case.check("out_weight", np.array([
        sigmoid_ramp(it, case.params["max_iter"])
        for it in case["in_iters"].tolist()]))


@handles("ctt", "class_mask")
def classes_of_a_mask(case):
    label = long(case, "in_pred")
    chosen = chosen_mask(label, case["in_choice"], int(label.max()) + 1)
    case.check("out_mask", class_mask(label, chosen).squeeze(1))
    most = len(case["out_num_chosen"])
    present = paddle.arange(most) < paddle.arange(1, most + 1).unsqueeze(1)
    case.check("out_num_chosen", choose_half(
        present, paddle.rand([most, most])).astype("int64").sum(axis=1))
    paddle.seed(0)
    rows = choose_half(paddle.ones([10000, 5], dtype="bool"),
                       paddle.rand([10000, 5]))
    case.check("out_marginal_freq", rows.astype("float32").mean(axis=0),
               atol=0.02, rtol=0)


@handles("ctt", "mix")
def mix(case):
    # The mask says what stays.
    mask = paddle.to_tensor(case["in_mask"] == 0).unsqueeze(1)
    for name in ("data", "target"):
        case.check(f"out_{name}", paste_next(case.tensor(f"in_{name}"), mask))


@handles("ctt", "cutout_mask")
def cut_mask(case):
    height, width = case.params["H"], case.params["W"]
    boxes = [[y, x, half_box_height(height, width, wide), wide]
             for wide, x, y in case["in_draws"].tolist()]
    case.check("out_masks", 1 - boxes_to_mask(
        np.array(boxes)[:, None], height, width)[:, 0])
    drawn = draw_half_boxes(np.random.default_rng(0), 10000, height, width,
                            whole=True)
    top, left, tall, wide = drawn.T
    rows = np.stack([tall * wide / (height * width), wide, tall, left, top])
    lack = abs(rows.mean(axis=1) - case["out_law_mean"])
    assert (lack < 0.1 * case["out_law_std"]).all()
    np.testing.assert_allclose(rows.std(axis=1), case["out_law_std"],
                               rtol=0.1)
    assert wide.min() == width // 2 + 1 and wide.max() == width
    case.mark("out_law_mean", "out_law_std")


@handles("ctt", "cow_mask")
def blotches(case):
    case.check("out_masks", np.stack([
        cow_mask(case["in_noise_f64"], *row)
        for row in case["in_sigma_p"].astype(np.float64).tolist()]))


class _Given:
    """A transform with recorded draws."""

    def __init__(self, op, drawn):
        self.apply, self.drawn = op.apply, drawn

    def draw(self, rng, shape):
        return self.drawn


@handles("ctt", "color_jitter")
def jitter(case):
    p, op, j = case.params, BatchColorJitter(), 0
    while f"in_order_{j}" in case.arrays:
        drawn = BatchJitter(case[f"in_order_{j}"].tolist(), [
            case[f"in_{name}_factor_{j}"] for name in (
                "brightness", "contrast", "saturation", "hue")])
        case.check(f"out_{j}", change_batch(
            case.tensor("in_x"), [_Given(op, drawn)], None,
            case["in_mean"] / 255, 1 / 255))
        j += 1
    op = BatchColorJitter(prob=1, **{name: p["s"] for name in (
        "brightness", "contrast", "saturation", "hue")})
    drawn = op.draw(np.random.default_rng(0), [400000, 3, 8, 8])
    case.check("out_law", np.array([
        [row.mean(), row.std(), row.min(), row.max()]
        for row in drawn.amounts]))
    assert BatchColorJitter().prob == 1 - p["gate"]
    assert BatchColorJitter().ranges == op.ranges


@handles("ctt", "gaussian_blur")
def blur(case):
    case.check("out_ksize", np.array([
        kernel_size(side, 0.1) for side in case["in_dims"].tolist()]))
    for j, sigma in enumerate(case["in_sigma"].astype(np.float64)):
        case.check(f"out_{j}", gaussian_blur(case.tensor("in_x"), sigma))
        op = _Given(BatchGaussianBlur(), sigma)
        case.check(f"out_{j}", change_batch(
            case.tensor("in_x"), [op], None, [0.4, 0.5, 0.3], 1 / 255))
    assert BatchGaussianBlur().prob == 1 - case.params["gate"]


@handles("ctt", "sup_ce_0", "sup_ce_1")
def supervised(case):
    logits = case.tensor("in_logits", grad=True)
    loss = Criterion([CrossEntropyLoss(ignore_index=case.params["ignore"])],
                     [1])([logits], long(case, "in_label"))
    loss.backward()
    case.check("out_loss", loss)
    case.check("grad_logits", logits.grad)


@handles("ctt", "unsup_ce", "unsup_mse")
def unsupervised(case):
    logits = case.tensor("in_logits", grad=True)
    if case.kind == "unsup_mse":
        loss = weighted_squares(logits, case.tensor("in_target"), 1.0)
    else:
        loss = weighted_cross_entropy(
            logits, long(case, "in_label"), case.tensor("in_weight"),
            case.params["ignore"])
    loss.backward()
    case.check("out_loss", loss)
    case.check("grad_logits", logits.grad)


class CrossLoss:
    """One student's cross-teacher loss, out of a whole step.

    The student is the first one; the second gets what it shows.
    """

    def __init__(self, case, **options):
        p = case.params
        images, scores = case.tensor("in_images"), case.tensor(
            "in_teacher_logits")
        self.logits = case.tensor("in_student_logits", grad=True)
        other = paddle.zeros_like(self.logits)
        self.student = Recorded(other, self.logits)
        self.teacher = Recorded(scores)
        method = CTT(
            make_model=factory(self.student, Recorded(other, other),
                               Recorded(other), self.teacher),
            criterion=Criterion([CrossEntropyLoss()], [1]),
            num_classes=self.logits.shape[1], mask=p["mix"] or "none",
            pixel_weight=_WEIGHTS.get(p["pixel_weight"], p["pixel_weight"]),
            consistency_weight=p["consistency_weight"],
            conf_thresh=p["threshold"], mixed_transforms=[],
            mirror_prob=float(p["flip"]), high_weight=0, low_weight=0,
            **options)
        method.train()
        self.method, self.views = method, []
        self.label = F.softmax(self.student.enlarge(
            scores, images.shape[2:]), axis=1).argmax(axis=1)
        if p["mix"]:
            method.views.mixing.draw = lambda label: self.draw(case, label)
        inner = method.views

        def views(*args):
            self.views.append(inner(*args))
            return self.views[-1]

        method.views = views
        label = paddle.zeros([len(images), *images.shape[2:]], "int64")
        self.terms = method({"labeled": {"img": images, "label": label},
                             "unlabeled": {"img": images}},
                            Step(it=p["i_iter"], total=10**6))

    def draw(self, case, label):
        if not self.views:
            # The first mask is drawn for the labels of the other's teacher.
            np.testing.assert_array_equal(label, self.label)
        if "in_choice" in case.arrays:
            stays = class_mask(self.label, chosen_mask(
                self.label, case["in_choice"], self.logits.shape[1]))
            np.testing.assert_array_equal(stays.squeeze(1).numpy(),
                                          case["in_mask"] == 1)
            return ~stays
        return paddle.to_tensor(case["in_mask"] == 0).unsqueeze(1)


@handles("ctt", "ct_loss_class_uniform", "ct_loss_class_pow6",
         "ct_loss_cut_sigmoid", "ct_loss_v3plus_nomix", "ct_loss_class_flip")
def cross_loss(case):
    run = CrossLoss(case)
    view, rule = run.views[0], run.method.consistency
    assert run.teacher.modes == ["train"]
    assert run.student.modes == ["train", "train"]
    case.check("out_student_input", run.student.inputs[1])
    case.check("out_pseudo_label", view.label)
    case.check("out_maxprob", view.conf)
    share = pixel_weight(rule.pixel_weight, view.conf, case.params["i_iter"],
                         conf_thresh=rule.conf_thresh,
                         ramp_iters=rule.ramp_iters)
    case.check("out_pixel_weight", np.asarray(share))
    np.testing.assert_allclose(rule.sure_share(view),
                               case.params["confident_fraction"], rtol=1e-5)
    size = run.logits.shape[2:]
    case.check("out_prob_feat", nearest(view.conf, size))
    case.check("out_label_feat", nearest(view.label, size))
    loss = run.terms["loss_cross_l"]
    case.check("out_loss", loss)
    loss.backward()
    case.check("grad_student_logits", run.logits.grad)


@handles("ctt", "label_downsample")
def smaller_labels(case):
    j = 0
    while f"in_label_{j}" in case.arrays:
        size = case[f"out_label_{j}"].shape
        case.check(f"out_label_{j}", nearest(
            long(case, f"in_label_{j}").unsqueeze(0), size)[0])
        j += 1


def contrast_of(params, num_classes, width, **options):
    """A PeerContrast with the release's values where a case has none."""
    return PeerContrast(**{
        "num_classes": num_classes, "width": width, "score": "logit",
        "ignore_index": params.get("ignore", 255), "low_pixels": "all",
        "rows": 1, "quota": params.get("quota", 1),
        "least": params.get("logit_threshold", 0.95),
        "conf_thresh": params.get("gamma", 0.75),
        "temperatures": (params.get("T_high", 0.1),
                         params.get("T_low", 0.5)),
        "weights": {"high": 0.1, "low": 0.1}, **options})


@handles("ctt", "memory_bank")
def memory_bank(case):
    start, s = case["in_bank0"], 0
    memory = contrast_of(case.params, *start.shape[::2],
                         rows=case.params["N"])
    while f"in_logits_{s}" in case.arrays:
        memory.remember(1, {"scores": case.tensor(f"in_logits_{s}"),
                            "feature": case.tensor(f"in_feat_{s}")},
                        long(case, f"in_label_{s}"))
        # What is not filled holds its first, random numbers there.
        bank = start.copy()
        for rows, queue in zip(bank, memory.banks[1].queues):
            rows[:len(queue)] = queue.rows("feature").numpy()
        case.check(f"out_bank_{s}", bank)
        case.check(f"out_size_{s}", np.array([
            len(queue) for queue in memory.banks[1].queues]))
        s += 1
    assert s and not float(memory.banks[0].fill())


@handles("ctt", "contrast_high_0", "contrast_high_1")
def high_level(case):
    maps = case.tensor("in_rep", grad=True)
    pixels = paddle.to_tensor(case["in_mask"] != 0).flatten().nonzero(
        ).flatten()
    label = paddle.gather(long(case, "in_label").flatten(), pixels)
    bank = case.tensor("in_bank")
    value = bank_contrast(
        unit_rows(paddle.gather(pixel_rows(maps), pixels)), label,
        unit_rows(bank), temperature=case.params["T"])
    loss = class_mean(value, label, len(bank))
    loss.backward()
    case.check("out_loss", loss)
    case.check("grad_rep", maps.grad)


@handles("ctt", "contrast_low")
def low_level(case):
    own, peer = (case.tensor(f"in_rep_{n}", grad=True) for n in "ab")
    used = (case["in_mask"] != 0) & (case["in_select"] != 0)
    pixels = paddle.to_tensor(used).flatten().nonzero().flatten()
    label = paddle.gather(long(case, "in_label").flatten(), pixels)
    bank = case.tensor("in_bank")
    value = contrast(
        *(unit_rows(paddle.gather(pixel_rows(maps), pixels))
          for maps in (own, peer)), label, *labeled_rows(unit_rows(bank)),
        temperature=case.params["T"], numerics="logsumexp")
    loss = class_mean(value, label, len(bank))
    loss.backward()
    case.check("out_loss", loss)
    case.check("grad_rep_a", own.grad)
    # In training the peer learns nothing from this; here it cannot.
    assert peer.grad is None or not peer.grad.numpy().any()
    case.mark("grad_rep_b")


@handles("ctt", "contrast_terms_v2", "contrast_terms_v3")
def contrast_terms(case):
    p = case.params
    classes, rows, width = case["in_bank_l"].shape
    terms = contrast_of(p, classes, width, rows=rows, low_pixels={
        "v2": "all", "v3": "directional"}[p["variant"]], weights={
            "high": p["w_high"], "low": p["w_low"]})
    for memory, name in zip(terms.banks, "lr"):
        for queue, bank in zip(memory.queues, case.tensor(f"in_bank_{name}")):
            queue.append(feature=bank)
    seen = [Seen(case.tensor(f"in_feat_{a}", grad=True),
                 case.tensor(f"in_feat_u_{a}", grad=True),
                 case.tensor(f"in_logits_u_{a}"), case.tensor(f"in_prob_{a}"),
                 long(case, f"in_plabel_{a}")) for a in "lr"]
    label = long(case, "in_label_feat")
    total = 0
    for k, a in enumerate("lr"):
        high, low = terms.high(k, seen, label), terms.low(k, seen)
        case.check(f"out_high_{a}", high)
        case.check(f"out_low_{a}", low)
        total = total + p["w_high"] * high + p["w_low"] * low
    total.backward()
    for own, a in zip(seen, "lr"):
        case.check(f"grad_feat_{a}", own.labeled.grad)
        case.check(f"grad_feat_u_{a}", own.unlabeled.grad)

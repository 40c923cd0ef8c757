# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL: entropy gate, contrast with its memories, schedules and teacher."""

import numpy as np
import paddle
import paddle.nn.functional as F

from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.losses.consistency import kept_cross_entropy
from contrib_semiseg.losses.criterion import Criterion
from contrib_semiseg.losses.cross_entropy import (
    CrossEntropyLoss,
    OhemCrossEntropyLoss,
)
from contrib_semiseg.losses.entropy import entropy, percentiles
from contrib_semiseg.losses.prototype_contrast import (
    class_masks,
    contrast_masks,
    nearest,
)
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.batch_mixing import BatchMixing
from contrib_semiseg.methods.memory import RowQueue
from contrib_semiseg.methods.pseudo_labels import hard_label
from tests.golden.case import handles
from tests.support import contrast, tiny_u2pl


def criterion_of(params):
    """The supervised loss of a case's `kind` or `type`."""
    name = params.get("kind") or params["type"]
    options = params.get("kwargs", params)
    loss = OhemCrossEntropyLoss(
        thresh=options["thresh"], min_kept=options["min_kept"]
    ) if name == "ohem" else CrossEntropyLoss()
    weight = params.get("aux_weight", 0)
    return Criterion([loss], [1, weight] if weight else [1])


@handles("u2pl", "sup_ohem", "sup_ce")
def supervised(case):
    names = ["pred", "aux"] if "in_aux" in case.arrays else ["pred"]
    logits = [case.tensor(f"in_{name}", grad=True) for name in names]
    loss = criterion_of(case.params)(logits, case.tensor("in_label"))
    loss.backward()
    case.check("out_loss", loss)
    for name, z in zip(names, logits):
        case.check(f"grad_{name}", z.grad)
    if "out_kept_mask" in case.arrays:
        case.check("out_kept_mask", (logits[0].grad != 0).any(axis=1))


@handles("u2pl", "unsup_loss", "unsup_loss_scheduled")
def unsupervised(case):
    logits, target = case.tensor("in_predict", grad=True), case.tensor(
        "in_target")
    ignore = case.params["ignore_index"]
    found = entropy(case.tensor("in_pred_teacher"))
    used = target != ignore
    limit, = percentiles(found, used, [case.params["percent"]])
    kept = used & (found < limit)
    loss = kept_cross_entropy(logits, target, kept)
    loss.backward()
    case.check("out_entropy", found)
    case.check("out_thresh", limit)
    case.check("out_target", paddle.where(
        kept, target, paddle.full_like(target, ignore)))
    case.check("out_n_kept", kept.astype("int64").sum())
    case.check("out_weight", kept.size / float(kept.sum()))
    case.check("out_loss", loss)
    case.check("grad_predict", logits.grad)


def method_of(params, *networks, **options):
    """The method with a case's hyper-parameters, of their own names there."""
    ours = {"current_class_threshold": "anchor_thresh",
            "current_class_negative_threshold": "negative_thresh",
            "num_queries": "queries", "num_negatives": "negatives",
            "low_entropy_threshold": "low_entropy_percent",
            "apply_aug": "strong"}
    same = ("sup_only_epoch", "ema_decay", "drop_percent", "low_rank",
            "high_rank", "temperature", "contrastive_weight", "unsup_weight",
            "negative_high_entropy")
    found = {ours.get(k, k): v for k, v in params.items()
             if k in ours or k in same}
    if "contrastive_weight" in found:
        found["contrast_weight"] = found.pop("contrastive_weight")
    if "queue_size" in params:
        first, *rest = params["queue_size"]
        assert len(set(rest)) == 1
        found.update(first_bank_rows=first, bank_rows=rest[0])
    return tiny_u2pl.method(*networks, **{
        "num_classes": params.get("C", 4), "low_rank": 1, **found, **options})


@handles("u2pl", "threshold_schedules")
def schedules(case):
    for j, (epochs, drop, low) in enumerate(case.params["configs"]):
        method = method_of({"drop_percent": drop,
                            "low_entropy_threshold": low})
        rows = np.array([method.percents(Step(
            it=0, total=1, epoch=e, epochs=epochs)) for e in range(epochs)])
        case.check(f"out_drop_percent_{j}_f64", rows[:, 0])
        case.check(f"out_alpha_t_{j}_f64", rows[:, 1])
        np.testing.assert_allclose(rows[:, 1] + rows[:, 2], 100)


@handles("u2pl", "label_onehot_nearest")
def label_masks(case):
    label, classes = case.tensor("in_label"), case.params["C"]
    case.check("out_onehot", class_masks(label, classes, merged=True))
    case.check("out_fixed_onehot", class_masks(label, classes))
    small = nearest(label, case.params["size"])
    case.check("out_small", class_masks(small, classes, merged=True))


@handles("u2pl", "contra_inputs")
def contrast_inputs(case):
    p = case.params
    size, labeled = (p["H"], p["W"]), p["Nl"]

    def enlarge(scores):
        return F.interpolate(scores, size, mode="bilinear",
                             align_corners=True)

    method = method_of(p)
    label = hard_label(enlarge(case.tensor("in_pred_eval_teacher")))
    if "in_cutout_mask" in case.arrays:
        mixing = BatchMixing("cutout", 1, num_classes=p["C"],
                             ignore_index=255)
        label = mixing.apply(label, label, paddle.to_tensor(
            case["in_cutout_mask"] == 0).unsqueeze(1))[1]
    case.check("out_label_u_aug", label)
    scores = case.tensor("in_pred_train_teacher")
    large = enlarge(scores[labeled:])
    case.check("out_pred_u_large_teacher", large)
    found = entropy(large)
    case.check("out_entropy", found)
    drop, low, high = method.percents(Step(
        it=0, total=1, epoch=p["epoch"], epochs=p["epochs"]))
    case.check("out_drop_percent", drop)
    case.check("out_alpha_t", low)
    limits = percentiles(found, label != 255, (low, high))
    case.check("out_low_thresh", limits[0])
    case.check("out_high_thresh", limits[1])
    masks, low, high = contrast_masks(
        case.tensor("in_label_l"), label, found, limits, (p["h"], p["w"]),
        **method.mask_rule)
    case.check("out_label_l_small", masks[:labeled])
    case.check("out_label_u_small", masks[labeled:])
    case.check("out_low_mask_all", low)
    case.check("out_high_mask_all", high)
    probability = F.softmax(scores, axis=1)
    case.check("out_prob_l", probability[:labeled])
    case.check("out_prob_u", probability[labeled:])


def check_contrast(case, found):
    """Compare what `contrast.run` found with the case."""
    for name, value in found.items():
        if name in case.arrays:
            case.check(name, value)
    drawn = case["in_draw_k"]
    valid = case["out_valid_classes"]
    repaired = case.kind.startswith("contra_option")
    assert found["pairs"].tolist() == [
        [valid[k] if repaired else k, valid[k]] for k in drawn]


@handles("u2pl", "contra_all_classes", "contra_missing_classes",
         "contra_upstream_multihot", "contra_skips", "contra_single_class",
         "contra_anchor_ema_first", "contra_anchor_ema_later",
         "contra_option_index_fixed", "contra_option_paper_negatives")
def class_contrast(case):
    check_contrast(case, contrast.run(case))


@handles("u2pl", "memory_queue")
def memory(case):
    capacity = case.params["queue_size"]
    queue = RowQueue(capacity=capacity, columns={
        "feature": ([case.params["D"]], "float32")})
    table, pointer = [], 0
    for j in range(len(case.params["pushes"])):
        rows = paddle.concat([case.tensor(f"in_keys_rank{r}_{j}")
                              for r in range(2)])
        queue.append(feature=rows)
        case.check(f"out_bank_{j}", queue.rows("feature"))
        # Their pointer, which nothing reads.
        pointer = (capacity if len(queue) == capacity else
                   (pointer + len(rows)) % capacity)
        table.append([len(rows), pointer])
    case.check("out_added_and_ptr", table)


@handles("u2pl", "ema_trace")
def ema(case):
    p = case.params
    student, teacher = (tiny_u2pl.Weights(case[f"in_{who}0"])
                        for who in ("student", "teacher"))
    method = method_of({}, student, teacher,
                       sup_only_epoch=p["sup_only_epoch"],
                       ema_decay=p["ema_decay"])
    total = p["epochs"] * p["L"]
    during, after, decay = [], [], []
    for i, value in enumerate(case["in_student_after"]):
        step = Step(it=i, total=total, epoch=i // p["L"], epochs=p["epochs"],
                    iters_per_epoch=p["L"])
        method.start_teacher(step)
        during.append(teacher.weight.numpy())
        student.weight.set_value(value)
        method.after_step(step)
        after.append(teacher.weight.numpy())
        warm = step.epoch < p["sup_only_epoch"]
        decay.append(np.nan if warm else method.keep_rate(step))
        assert method.eval_network() is (student if warm else teacher)
    case.check("out_teacher_in_forward", np.array(during))
    case.check("out_teacher_after", np.array(after))
    case.check("out_decay", np.array(decay))


@handles("u2pl", "poly_lr")
def poly(case):
    p = case.params
    total = p["epochs"] * p["iters_per_epoch"]
    steps = range(p["start_epoch"] * p["iters_per_epoch"], total)
    columns = [[PolyLR(learning_rate=base, power=p["power"],
                       total_steps=total)(i) for i in steps]
               for base in p["base_lr"]]
    case.check("out_lr_f64", np.array(columns).T)



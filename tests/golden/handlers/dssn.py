# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DSSN: selection, alignment, losses and the teacher."""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.losses.consistency import alignment, standardize
from contrib_semiseg.losses.cross_entropy import (
    cross_entropy,
    ohem_cross_entropy,
)
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.dssn import DSSN
from contrib_semiseg.methods.pseudo_labels import (
    class_relative_selection,
    class_thresholds,
)
from contrib_semiseg.methods.teacher import ema_update
from contrib_semiseg.mixing.paste import paste
from tests.golden.case import handles
from tests.support.replay import (
    MainLogits,
    ReplaySegmentor,
    factory,
    numbered,
)

LATER = Step(it=9, total=10, epoch=9, epochs=10)

@handles("dssn", "cpls_mask", "cpls_edge")
def selection(case):
    logits = case.tensor("in_logits")
    rule = dict(floor=case.params["high"], fraction=case.params["fraction"])
    largest, threshold = class_thresholds(F.softmax(logits, axis=1), **rule)
    case.check("out_class_max", largest.squeeze([2, 3]))
    case.check("out_class_thresh", threshold.squeeze([2, 3]))
    case.check("out_mask", class_relative_selection(
        logits, **rule).astype("int64"))


@handles("dssn", "contrastive_image_a", "contrastive_image_b",
         "contrastive_feature_a", "contrastive_feature_b")
def contrastive(case):
    a, b = (case.tensor(f"in_{n}", grad=True) for n in "ab")
    eps = case.params["eps"]
    loss = alignment(a, b, eps=eps)
    loss.backward()
    case.check("out_loss", loss)
    for name, x in (("a", a), ("b", b)):
        case.check(f"out_{name}_norm", standardize(x, eps))
        case.check(f"grad_{name}", x.grad)


@handles("dssn", "ohem")
def ohem(case):
    for sub in case.params["subcases"]:
        tag = sub["tag"]
        logits = case.tensor(f"in_{tag}_logits", grad=True)
        label = paddle.to_tensor(case[f"in_{tag}_labels"].astype(np.int64))
        loss = ohem_cross_entropy(logits, label, sub["thresh"],
                                  sub["min_kept"],
                                  case.params["ignore_index"])
        loss.backward()
        case.check(f"grad_{tag}_logits", logits.grad)
        if np.isnan(case[f"out_{tag}_loss"]):
            # The reference's value without a valid pixel; ours is 0.
            assert float(loss) == 0
            case.mark(f"out_{tag}_loss")
        else:
            case.check(f"out_{tag}_loss", loss)


@handles("dssn", "lr_schedule")
def lr_schedule(case):
    for sub in case.params["subcases"]:
        total = sub["epochs"] * sub["iters_per_epoch"]
        schedule = PolyLR(learning_rate=sub["lr"], total_steps=total,
                          power=case.params["power"], delay=1)
        rates = np.array([schedule(t) for t in range(total)])
        case.check(f"out_{sub['tag']}_lr_used", np.stack(
            [rates, rates * sub["lr_multi"]], axis=1))


class _Entries(nn.Layer):
    """Parameters under given names."""

    def __init__(self, state):
        super().__init__()
        for name, value in state.items():
            self.add_parameter(name.replace(".", "__"), self.create_parameter(
                value.shape, dtype="float32",
                default_initializer=nn.initializer.Assign(value)))


@handles("dssn", "ema_update")
def ema(case):
    counter = "num_batches_tracked"

    def state(who):
        return {k.removeprefix(f"in_{who}__"): v
                for k, v in case.arrays.items()
                if k.startswith(f"in_{who}__") and not k.endswith(counter)}

    for j, keep in enumerate(case["in_keep_rates"]):
        teacher, student = _Entries(state("teacher")), _Entries(
            state("student"))
        ema_update(teacher, student, float(keep))
        for name, value in teacher.state_dict().items():
            case.check(f"out_{j}__{name.replace('__', '.')}", value)
        # Paddle's BatchNorm counts no batches.
        case.mark(*(k for k in case.arrays if k.endswith(counter)))


def not_padding(array):
    return paddle.to_tensor(array.astype(np.int64)) != 255


def method_of(case, nets, criterion, **options):
    p = case.params
    if "high" in p:
        options.update(floor=p["high"], fraction=p["fraction"])
    if "conf_thresh" in p:
        options.update(selection="threshold", warmup_iters=0,
                       conf_thresh=p["conf_thresh"],
                       warmup_epochs=p.get("burnin_epochs", 0))
    return DSSN(make_model=factory(*nets), criterion=criterion,
                align_eps=0.0, **options)


def criterion_of(params):
    ohem = params.get("ohem") or (
        {"thresh": params["ohem_thresh"],
         "min_kept": params["ohem_min_kept"]}
        if "ohem_thresh" in params else None)
    if ohem is None:
        return MainLogits(lambda out, y: cross_entropy(out, y, 255))
    return MainLogits(lambda out, y: ohem_cross_entropy(
        out, y, ohem["thresh"], ohem["min_kept"]))


class _Losses:
    """A step on recorded logits."""

    names = ("pred_x", "preds_fp", "preds_Fp", "pred_s1", "pred_s2")

    def __init__(self, case, step):
        labels = paddle.to_tensor(case["in_mask_x"].astype(np.int64))
        self.logits = {n: case.tensor(f"in_{n}", grad=True)
                       for n in (*self.names, "pred_u_w")}
        get = self.logits.get
        self.student = ReplaySegmentor(
            paddle.concat([get("pred_x"), get("pred_u_w"), get("preds_fp"),
                           get("preds_Fp")]),
            paddle.concat([get("pred_s1"), get("pred_s2")]))
        # Both passes of the teacher; the loss of the first is not asked for
        # in a warm-up.
        teacher = ReplaySegmentor(case.tensor("in_teacher_u_w_mix"),
                                  case.tensor("in_teacher_u_w"))
        self.method = method_of(case, [self.student, teacher],
                              criterion_of(case.params))
        self.method.train()
        images = numbered(len(case["in_pred_u_w"]), *labels.shape[1:])
        self.batch = {
            "labeled": {"img": numbered(*labels.shape), "label": labels},
            "unlabeled": {"weak": images, "strong1": images,
                          "strong2": images,
                          "valid": not_padding(case["in_ignore_mask"])},
            "source": {"weak": images, "strong1": images, "strong2": images,
                       "valid": not_padding(case["in_ignore_mask_mix"])}}
        for k in "12":
            self.batch["unlabeled"][f"mask{k}"] = paddle.to_tensor(
                case[f"in_box{k}"]).unsqueeze(1)
        self.teacher = teacher
        self.terms = self.method(self.batch, step)
        self.total = self.method.total_loss(self.terms)

    def gradients(self, case, loss, key):
        loss.backward()
        for name in self.names:
            if f"{key}{name}" not in case.arrays:
                continue
            grad = self.logits[name].grad
            case.check(f"{key}{name}", np.zeros(self.logits[name].shape)
                       if grad is None else grad)
        grad = self.logits["pred_u_w"].grad
        assert grad is None or not grad.numpy().any()


_TERMS = {"loss_x": ("loss_sup", 2), "loss_u_s1": ("loss_strong1", 8),
          "loss_u_s2": ("loss_strong2", 8),
          "loss_u_w_fp": ("loss_feature1", 8),
          "loss_u_w_Fp": ("loss_feature2", 8),
          "loss_u_s_mse": ("loss_align_image", 200),
          "loss_u_fp_mse": ("loss_align_feature", 200)}


def _keep(method, step):
    """The keep rate that a step's update has."""
    return 0.0 if method.is_warm_up(step) else method.keep_rate


@handles("dssn", "voc_losses", "city_losses", "city_losses_thresh")
def losses(case):
    run = _Losses(case, LATER)
    assert run.teacher.modes == ["eval", "eval"]
    assert run.student.modes == ["train", "train"]
    for theirs, (ours, factor) in _TERMS.items():
        case.check(f"out_{theirs}", factor * run.terms[ours])
    case.check("out_total", run.total)
    case.check("out_mask_ratio", run.terms["mask_ratio"])
    run.gradients(case, run.total, "grad_")
    if "out_keep_rate" in case.arrays:
        case.check("out_keep_rate", _keep(run.method, LATER))
    if case.kind == "voc_losses":
        _check_parts(case, run)
        for key, (ours, factor) in (("u_s1", _TERMS["loss_u_s1"]),
                                    ("u_w_fp", _TERMS["loss_u_w_fp"])):
            # Paddle's cross-entropy allows one backward pass only.
            run = _Losses(case, LATER)
            run.gradients(case, factor * run.terms[ours],
                          f"grad_loss_{key}__")
    if "out_total_burnin" in case.arrays:
        early = Step(it=9, total=99, epoch=case.params["burnin_epochs"] - 1)
        run = _Losses(case, early)
        assert not run.teacher.inputs
        case.check("out_total_burnin", run.total)
        case.check("out_keep_rate_burnin", _keep(run.method, early))
        run.gradients(case, run.total, "grad_burnin_")


def _check_parts(case, run):
    u, source = run.batch["unlabeled"], run.batch["source"]
    case.check("out_mask_u_w", run.terms["show_pseudo_label"])
    case.check("out_adaptive_binary_mask", run.method.select(
        case.tensor("in_pred_u_w")).astype("int64"))
    for k in "12":
        mask = u[f"mask{k}"]
        mixed = paste(case.tensor("in_teacher_u_w"),
                      case.tensor("in_teacher_u_w_mix"), mask)
        case.check(f"out_mask_u_w_cutmixed{k}", mixed.argmax(axis=1))
        case.check(f"out_adaptive_binary_mask_tea_mix{k}",
                   run.method.select(mixed).astype("int64"))
        valid = paste(u["valid"], source["valid"], mask)
        case.check(f"out_ignore_mask_cutmixed{k}",
                   np.where(valid.numpy(), 0, 255))


@handles("dssn", "voc_losses_first_iter")
def first_iteration(case):
    first = Step(it=0, total=10)
    run = _Losses(case, first)
    case.check("out_total", run.total)
    run.gradients(case, run.total, "grad_")
    case.check("out_keep_rate", _keep(run.method, first))
    case.check("out_keep_rate_next", _keep(run.method, Step(it=1, total=10)))

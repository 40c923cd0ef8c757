# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""FixMatch and UniMatch: losses, whole iterations, dropout and schedule."""

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.engine.trainer import Trainer
from contrib_semiseg.losses.consistency import soft_dice
from contrib_semiseg.losses.cross_entropy import (
    cross_entropy,
    ohem_cross_entropy,
)
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.fixmatch import FixMatch
from contrib_semiseg.methods.pseudo_labels import confidence
from contrib_semiseg.methods.supervised import Supervised
from contrib_semiseg.methods.unimatch import UniMatch
from contrib_semiseg.models.segmentor import Segmentor
from tests.golden.case import handles
from tests.support.replay import (
    MainLogits,
    ReplaySegmentor,
    UnbiasedBatchNorm2D,
    numbered,
)

FIRST = Step(it=0, total=1)
_STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}


def criterion_of(params):
    described = params.get("criterion", {"name": "CELoss"})
    if described["name"] == "CELoss":
        return MainLogits(lambda out, label: cross_entropy(out, label, 255))
    options = described["kwargs"]
    return MainLogits(lambda out, label: ohem_cross_entropy(
        out, label, options["thresh"], options["min_kept"],
        options["ignore_index"]))


def _batch(case, views):
    """The case's batch; images that are not given hold their row's number."""
    labels = case.tensor("in_mask_x")
    count, height, width = labels.shape
    images = numbered(count, height, width)

    def stream(suffix):
        ignore = f"in_ignore_mask{suffix}"
        valid = (case.tensor(ignore) != 255 if ignore in case.arrays else
                 paddle.ones([count, height, width], dtype="bool"))
        rows = {"weak": images, "valid": valid}
        for k in views:
            name = f"in_img_u_s{k}{suffix}"
            rows[f"strong{k}"] = (case.tensor(name) if name in case.arrays
                                  else images)
        return rows

    unlabeled = stream("")
    for k in views:
        box = case.tensor(f"in_cutmix_box{k}").unsqueeze(1)
        unlabeled[f"mask{k}"] = box
    return {"labeled": {"img": images, "label": labels},
            "unlabeled": unlabeled, "source": stream("_mix")}


def _spied(method):
    """Remember the targets of each pseudo-label term, in order."""
    seen = []
    inner = method.consistency

    def consistency(logits, conf, label, valid):
        seen.append((conf, label, valid))
        return inner(logits, conf, label, valid)

    method.consistency = consistency
    return seen


@handles("unimatch", "unimatch_iter_ce", "unimatch_iter_ohem",
         "fixmatch_iter_ce", "medical_iter")
def iteration(case):
    p, has_feature = case.params, "in_pred_u_w_fp" in case.arrays
    views = "12" if has_feature else "1"
    logits = {k: case.tensor(f"in_pred_{k}", grad=True) for k in (
        "x", "u_w", "u_w_mix", "u_w_fp", "u_s1", "u_s2")
        if f"in_pred_{k}" in case.arrays}
    first = [logits["x"], logits["u_w"]]
    if has_feature:
        # The labelled images' dropped features have no loss.
        first += [paddle.full_like(logits["x"], 1e4), logits["u_w_fp"]]
    net = ReplaySegmentor(logits["u_w_mix"].detach(), paddle.concat(first),
                          paddle.concat([logits[f"u_s{k}"] for k in views]))
    medical = case.kind == "medical_iter"
    criterion = criterion_of(p) if not medical else MainLogits(
        lambda out, label: (cross_entropy(out, label, 255) + soft_dice(
            out, label, label != 255)) / 2)
    method = (UniMatch if has_feature else FixMatch)(
        model=net, criterion=criterion, conf_thresh=p["conf_thresh"],
        unlabeled_loss="dice" if medical else "ce")
    method.train()
    seen, batch = _spied(method), _batch(case, views)
    terms = method(batch, FIRST)
    assert net.modes == ["eval", "train", "train"]
    assert net.training
    total = method.total_loss(terms)
    case.check("out_loss", total)
    case.check("out_loss_x", terms["loss_sup"] / method.sup_weight)
    for k in views:
        case.check(f"out_loss_u_s{k}",
                   terms[f"loss_strong{k}"] / method.strong_weight)
    if has_feature:
        case.check("out_loss_u_w_fp",
                   terms["loss_feature"] / method.feature_weight)
    if not medical:
        _check_targets(case, net, seen, views, terms)
    total.backward()
    for name, tensor in logits.items():
        if f"grad_pred_{name}" in case.arrays:
            case.check(f"grad_pred_{name}", tensor.grad)
    for name in ("u_w", "u_w_mix"):
        assert logits[name].grad is None or not logits[name].grad.numpy().any()


def _check_targets(case, net, seen, views, terms):
    conf, label = confidence(case.tensor("in_pred_u_w_mix"))
    case.check("out_conf_u_w_mix", conf)
    case.check("out_mask_u_w_mix", label)
    conf, label = confidence(case.tensor("in_pred_u_w"))
    case.check("out_conf_u_w", conf)
    case.check("out_mask_u_w", label)
    if len(seen) > len(views):
        np.testing.assert_array_equal(seen[-1][1], label)
        np.testing.assert_array_equal(seen[-1][2].numpy(),
                                      case["in_ignore_mask"] != 255)
    for k, (conf, label, valid) in zip(views, seen):
        case.check(f"out_conf_u_w_cutmixed{k}", conf)
        case.check(f"out_mask_u_w_cutmixed{k}", label)
        case.check(f"out_ignore_mask_cutmixed{k}",
                   np.where(valid.numpy(), 0, 255))
    case.check("out_img_u_s1", net.inputs[2][:len(case["in_img_u_s1"])])
    case.check("out_mask_ratio", terms["mask_ratio"])


@handles("unimatch", "medical_dice")
def medical_dice(case):
    label = case.tensor("in_target")
    for name, used in (("plain", paddle.ones_like(label, dtype="bool")),
                       ("ignore", case.tensor("in_ignore") != 1)):
        logits = case.tensor("in_pred", grad=True)
        loss = soft_dice(logits, label, used, case.params["smooth"])
        loss.backward()
        case.check(f"out_loss_{name}", loss)
        case.check(f"grad_pred_{name}", logits.grad)


@handles("unimatch", "ohem")
def ohem(case):
    for i, (thresh, min_kept) in enumerate(case.params["subs"]):
        logits = case.tensor("in_pred", grad=True)
        label = case.tensor("in_target")
        loss = ohem_cross_entropy(logits, label, thresh, min_kept,
                                  case.params["ignore"])
        loss.backward()
        case.check(f"out_loss_{i}", loss)
        case.check(f"grad_pred_{i}", logits.grad)
        kept = np.abs(logits.grad.numpy()).sum(axis=1) > 0
        case.check(f"out_target_kept_{i}", np.where(
            kept, case["in_target"], case.params["ignore"]))


@handles("unimatch", "channel_dropout_law")
def channel_dropout_law(case):
    p = case.params
    paddle.seed(0)
    net = UniMatch(model=ReplaySegmentor(), criterion=None,
                   feature_dropout=p["p"])
    net.eval()
    drop, = net.perturb
    out = drop(paddle.ones([2, p["n"], 2, 2])).numpy()
    assert (out == out[:, :, :1, :1]).all()
    values = out[:, :, 0, 0]
    case.check("out_values", np.unique(values))
    case.check("out_keep_mean_f64", (values > 0).mean())
    case.check("out_keep_std_f64", (values > 0).std())
    corr = abs(np.corrcoef((values > 0).astype(float))[0, 1])
    assert corr < 4 / np.sqrt(p["n"])
    case.mark("out_keep_chan_corr_f64")


class _Backbone(nn.Sequential):

    def __init__(self, in_channels, width):
        super().__init__(
            nn.Conv2D(in_channels, width, 3, stride=2, padding=1,
                      bias_attr=False), UnbiasedBatchNorm2D(width), nn.ReLU())
        self.feat_channels = [width]

    def forward(self, x):
        return [super().forward(x)]


class _Tiny(Segmentor):
    """The network of the traces."""

    def __init__(self, case):
        width, channels = case["in_w_backbone.0.weight"].shape[:2]
        head = case["in_w_head.0.weight"].shape[0]
        super().__init__(backbone=_Backbone(channels, width), taps=[0],
                         align_corners=True)
        self.head = nn.Sequential(
            nn.Conv2D(width, head, 3, padding=1, bias_attr=False),
            UnbiasedBatchNorm2D(head), nn.ReLU())
        self.classifier = nn.Conv2D(
            head, case["in_w_classifier.weight"].shape[0], 1)
        for name, tensor in self.named().items():
            tensor.set_value(case[f"in_w_{name}"])

    def named(self):
        result = {}
        for name, tensor in self.state_dict().items():
            first, _, last = name.rpartition(".")
            result[f"{first}.{_STATISTICS.get(last, last)}"] = tensor
        return result

    def decode(self, taps):
        feature = self.head(taps[0])
        return feature, feature


def _trainer(case, method, total):
    p = case.params
    multi = p["lr_multi"]
    optimizer = SGD(
        momentum=p.get("momentum", 0.9),
        weight_decay=p.get("weight_decay", 1e-4),
        custom_cfg=[{"name": "backbone", "lr_mult": 1 / multi}])(
            method, p["lr"] * multi)
    schedule = PolyLR(learning_rate=p["lr"] * multi, total_steps=total,
                      delay=1)
    method.train()
    return Trainer(method=method, optimizer=optimizer, schedule=schedule,
                   total_steps=total, iters_per_epoch=p["iters_per_epoch"])


def _check_weights(case, net, i):
    for name, tensor in net.named().items():
        case.check(f"out_it{i}_w_{name}", tensor)


@handles("unimatch", "unimatch_e2e_tiny")
def trace(case):
    p = case.params
    net = _Tiny(case)
    method = UniMatch(model=net, criterion=criterion_of(p),
                      conf_thresh=p["conf_thresh"])
    trainer = _trainer(case, method, p["epochs"] * p["iters_per_epoch"])

    for i in range(p["n_iter"]):
        def given(name, i=i):
            return case.tensor(f"in_it{i}_{name}")

        keep = given("drop_mask").unsqueeze([2, 3])
        method.perturb = [lambda x, keep=keep: x * keep]
        batch = {
            "labeled": {"img": given("img_x"), "label": given("mask_x")},
            "unlabeled": {"weak": given("img_u_w"),
                          "valid": given("ignore_mask") != 255},
            "source": {"weak": given("img_u_w_mix"),
                       "valid": given("ignore_mask_mix") != 255}}
        for k in "12":
            batch["unlabeled"][f"strong{k}"] = given(f"img_u_s{k}")
            batch["unlabeled"][f"mask{k}"] = given(
                f"cutmix_box{k}").unsqueeze(1)
            batch["source"][f"strong{k}"] = given(f"img_u_s{k}_mix")
        terms = trainer.run_step([batch], trainer.step_of(i))
        case.check(f"out_it{i}_loss", method.total_loss(terms))
        case.check(f"out_it{i}_loss_x", 2 * terms["loss_sup"])
        case.check(f"out_it{i}_loss_u_s1", 8 * terms["loss_strong1"])
        case.check(f"out_it{i}_loss_u_s2", 8 * terms["loss_strong2"])
        case.check(f"out_it{i}_loss_u_w_fp", 4 * terms["loss_feature"])
        rate = trainer.learning_rate
        case.check(f"out_it{i}_lr_used", [rate / p["lr_multi"], rate])
        _check_weights(case, net, i)


@handles("unimatch", "supervised_e2e_lr")
def supervised(case):
    p = case.params
    net = _Tiny(case)
    method = Supervised(model=net, criterion=criterion_of(p))
    trainer = _trainer(case, method, p["total"])
    i = 0
    while f"in_it{i}_img_x" in case.arrays:
        batch = {"labeled": {"img": case.tensor(f"in_it{i}_img_x"),
                             "label": case.tensor(f"in_it{i}_mask_x")}}
        terms = trainer.run_step([batch], trainer.step_of(i))
        case.check(f"out_it{i}_loss", terms["loss_sup"])
        _check_weights(case, net, i)
        i += 1
    rates = np.array([trainer.schedule(g) for g in range(p["total"])])
    case.check("out_lr_used_f64", np.stack(
        [rates / p["lr_multi"], rates], axis=1))

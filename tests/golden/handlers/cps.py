# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CPS: losses, whole iterations, schedule and gradient scale."""

import functools

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.engine.trainer import Trainer
from contrib_semiseg.losses.cross_entropy import (
    cross_entropy,
    ohem_cross_entropy,
)
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.cps import CPS, CPSCutMix
from tests.golden.case import handles
from tests.support.replay import (
    MainLogits,
    ReplayNet,
    UnbiasedBatchNorm2D,
    factory,
)

FIRST = Step(it=0, total=1)


def criterion_of(params):
    ignore = params.get("ignore_index", 255)
    if params.get("sup", "ce") == "ce":
        return MainLogits(functools.partial(cross_entropy,
                                            ignore_index=ignore))
    return MainLogits(functools.partial(
        ohem_cross_entropy, thresh=params["thresh"],
        min_kept=params["min_kept"], ignore_index=ignore))


def check_step(case, method, batch, pseudo1, pseudo2):
    """Compare a step's terms and pseudo-labels; returns its total loss."""
    seen = []

    def cross(*given):
        seen.extend(given)
        return CPS.cross(method, *given)

    method.cross = cross
    terms = method(batch, FIRST)
    case.check("out_cps", terms["loss_cps"])
    case.check("out_sup_l", terms["loss_sup1"])
    case.check("out_sup_r", terms["loss_sup2"])
    case.check(pseudo1, seen[2])
    case.check(pseudo2, seen[3])
    total = method.total_loss(terms)
    case.check("out_total", total)
    return total


@handles("cps", "loss_cps_plain_voc", "loss_cps_plain_city")
def plain_losses(case):
    names = ("sup_l", "unsup_l", "sup_r", "unsup_r")
    logits = {n: case.tensor(f"in_{n}", grad=True) for n in names}
    nets = [ReplayNet(logits[f"sup_{b}"], logits[f"unsup_{b}"]) for b in "lr"]
    method = CPS(make_model=factory(*nets), criterion=criterion_of(case.params),
                 cps_weight=case.params["cps_weight"])
    x, u = case["in_sup_l"][:, :3], case["in_unsup_l"][:, :3]
    batch = {"labeled": {"img": paddle.to_tensor(x),
                         "label": case.tensor("in_gt")},
             "unlabeled": {"img": paddle.to_tensor(u)}}
    total = check_step(case, method, batch, "out_pseudo_l", "out_pseudo_r")
    for net in nets:  # labelled images first: the order of BatchNorm updates
        np.testing.assert_array_equal(net.inputs[0].numpy(), x)
        np.testing.assert_array_equal(net.inputs[1].numpy(), u)
        assert net.modes == ["train", "train"]
    total.backward()
    for name in names:
        case.check(f"grad_{name}", logits[name].grad)


@handles("cps", "loss_cps_cutmix_voc", "loss_cps_cutmix_city")
def cutmix_losses(case):
    nets, logits = [], {}
    for b in "12":
        given = [case.tensor(f"in_logits_{n}_{b}", grad=True)
                 for n in ("u0", "u1", "mix", "sup")]
        logits[b] = given
        nets.append(ReplayNet(*given))
    method = CPSCutMix(make_model=factory(*nets),
                       criterion=criterion_of(case.params),
                       cps_weight=case.params["cps_weight"])
    images = paddle.zeros([len(case["in_gt"]), 3, *case["in_gt"].shape[1:]])
    batch = {"labeled": {"img": images, "label": case.tensor("in_gt")},
             "unlabeled": {"img": case.tensor("in_u0_img"),
                           "mask": case.tensor("in_mask")},
             "source": {"img": case.tensor("in_u1_img")}}
    total = check_step(case, method, batch, "out_pseudo_1", "out_pseudo_2")
    for net in nets:
        case.check("out_mixed_img", net.inputs[2])
        np.testing.assert_array_equal(net.inputs[0].numpy(), case["in_u0_img"])
        np.testing.assert_array_equal(net.inputs[1].numpy(), case["in_u1_img"])
        assert net.modes == ["train"] * 4
    total.backward()
    for b, (u0, u1, mix, sup) in logits.items():
        case.check(f"grad_logits_mix_{b}", mix.grad)
        case.check(f"grad_logits_sup_{b}", sup.grad)
        assert u0.grad is None and u1.grad is None


class ToyNet(nn.Layer):
    """3x3 convolution, BatchNorm, ReLU, 1x1 classifier."""

    def __init__(self, case, branch):
        super().__init__()
        width = case[f"in_init_{branch}_gamma"].shape[0]
        kernel = case[f"in_init_{branch}_conv_w"].shape
        classes = case[f"in_init_{branch}_cls_w"].shape[0]
        self.conv = nn.Conv2D(kernel[1], width, kernel[2],
                              padding=kernel[2] // 2, bias_attr=False)
        self.bn = UnbiasedBatchNorm2D(width)
        self.cls = nn.Conv2D(width, classes, 1)
        self.counts = []
        for name, tensor in self.named().items():
            tensor.set_value(case[f"in_init_{branch}_{name}"])

    def named(self):
        return {"conv_w": self.conv.weight, "gamma": self.bn.weight,
                "beta": self.bn.bias, "rmean": self.bn._mean,
                "rvar": self.bn._variance, "cls_w": self.cls.weight,
                "cls_b": self.cls.bias}

    def forward(self, img):
        out = self.bn(self.conv(img))
        return [self.cls(nn.functional.relu(out))]


@handles("cps", "toy_training_plain", "toy_training_cutmix")
def toy_training(case):
    p = case.params
    nets = [ToyNet(case, "b1"), ToyNet(case, "b2")]
    cutmix = "in_mask" in case.arrays
    method = (CPSCutMix if cutmix else CPS)(
        make_model=factory(*nets), criterion=criterion_of(p),
        cps_weight=p["cps_weight"])
    optimizer = SGD(momentum=p["momentum"], weight_decay=p["weight_decay"],
                    weight_decay_on="weights")(method, p["base_lr"])
    schedule = PolyLR(learning_rate=p["base_lr"], power=p["power"],
                      total_steps=p["total_steps"])
    trainer = Trainer(method=method, optimizer=optimizer, schedule=schedule,
                      total_steps=p["total_steps"], iters_per_epoch=1)
    method.train()
    losses, rates = [], []
    for i in range(p["iters"]):
        batch = {"labeled": {"img": paddle.to_tensor(case["in_img"][i]),
                             "label": paddle.to_tensor(case["in_gt"][i])},
                 "unlabeled": {"img": paddle.to_tensor(case["in_u0"][i])}}
        if cutmix:
            batch["unlabeled"]["mask"] = paddle.to_tensor(case["in_mask"][i])
            batch["source"] = {"img": paddle.to_tensor(case["in_u1"][i])}
        terms = trainer.run_step([batch], trainer.step_of(p["first_step"] + i))
        row = [float(terms[k]) for k in ("loss_sup1", "loss_sup2", "loss_cps")]
        losses.append([*row, sum(row)])
        rates.append(trainer.learning_rate)
        for when, last in (("first", 0), ("final", p["iters"] - 1)):
            for branch, net in zip(("b1", "b2"), nets):
                for name, tensor in net.named().items() if i == last else ():
                    case.check(f"out_{when}_{branch}_{name}", tensor)
    case.check("out_losses", np.array(losses))
    case.check("out_lr", np.array(rates))


@handles("cps", "probohem_ce")
def probohem(case):
    label = case.tensor("in_label")
    for i, setting in enumerate(case.params["settings"]):
        logits = case.tensor("in_logits", grad=True)
        loss = ohem_cross_entropy(logits, label, setting["thresh"],
                                  setting["min_kept"])
        loss.backward()
        case.check(f"out_loss_{i}", loss)
        case.check(f"grad_logits_{i}", logits.grad)
        kept = int((np.abs(logits.grad.numpy()).sum(axis=1) > 0).sum())
        assert kept == setting["kept_pixels_with_gradient"]
    # The reference is NaN without a valid pixel; the loss here is 0.
    assert np.isnan(case["out_loss_all_ignored"])
    ignored = paddle.full_like(label, 255)
    for setting in case.params["settings"]:
        logits = case.tensor("in_logits", grad=True)
        loss = ohem_cross_entropy(logits, ignored, setting["thresh"],
                                  setting["min_kept"])
        loss.backward()
        assert float(loss) == 0.0 and not logits.grad.numpy().any()
    case.mark("out_loss_all_ignored")


@handles("cps", "poly_lr")
def poly(case):
    for i, setting in enumerate(case.params["settings"]):
        schedule = PolyLR(learning_rate=setting["base_lr"],
                          power=setting["power"],
                          total_steps=setting["total_steps"],
                          warmup_iters=setting["warmup_steps"])
        case.check(f"out_lr_{i}", np.array(
            [schedule(int(k)) for k in case[f"in_step_{i}"]]))


class Pixelwise(nn.Layer):
    """A 1x1 convolution with given weights."""

    def __init__(self, weight, bias):
        super().__init__()
        self.conv = nn.Conv2D(weight.shape[1], weight.shape[0], 1)
        self.conv.weight.set_value(weight[:, :, None, None])
        self.conv.bias.set_value(bias)

    def forward(self, img):
        return [self.conv(img)]


@handles("cps", "multi_process_gradient_scale")
def gradient_scale(case):
    ranks = case.params["world_size"]
    for prefix, scale in (("upstream", 1 / ranks), ("true_mean", 1.0)):
        nets = [Pixelwise(case[f"in_W{b}"], case[f"in_b{b}"]) for b in "12"]
        method = CPS(make_model=factory(*nets), criterion=criterion_of({}),
                     cps_weight=case.params["cps_weight"], grad_scale=scale)
        rows = []
        for r in range(ranks):  # the mean over processes, one after the other
            batch = {"labeled": {"img": paddle.to_tensor(case["in_img"][r]),
                                 "label": paddle.to_tensor(case["in_gt"][r])},
                     "unlabeled": {"img":
                                   paddle.to_tensor(case["in_unsup"][r])}}
            terms = method(batch, FIRST)
            (method.total_loss(terms) / ranks).backward()
            row = [float(terms[k])
                   for k in ("loss_sup1", "loss_sup2", "loss_cps")]
            rows.append([*row, sum(row)])
        case.check("out_reported_losses",
                   np.tile(np.mean(rows, axis=0), (ranks, 1)))
        for b, net in zip("12", nets):
            case.check(f"out_{prefix}_grad_W{b}",
                       net.conv.weight.grad.numpy()[:, :, 0, 0])
            case.check(f"out_{prefix}_grad_b{b}", net.conv.bias.grad)

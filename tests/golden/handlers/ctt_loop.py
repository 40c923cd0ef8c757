# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CTT: rates, repeated updates, and a whole training on a tiny network."""

from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.engine.optimizer import SGD, rule_of
from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.engine.trainer import Trainer
from contrib_semiseg.losses.criterion import Criterion
from contrib_semiseg.losses.cross_entropy import CrossEntropyLoss
from contrib_semiseg.methods.ctt import CTT
from contrib_semiseg.mixing.class_mask import class_mask
from contrib_semiseg.models import DeepLabV2, SmallResNet
from tests.golden.build import network
from tests.golden.case import handles
from tests.support import strong
from tests.support.recorded import Pixels, chosen_mask
from tests.support.replay import factory

RECIPES = Path(__file__).resolve().parents[3] / "configs/ctt"
CITY = "ctt_deeplabv2_resnet101_cityscapes_372_512x256"
VOC = "ctt_deeplabv3plus_resnet101_voc_92_321x321_released"


def _rules(name):
    return Config.load(RECIPES / f"{name}.yml").get("optimizer.custom_cfg")


def _rates(net, rules, case):
    """Rates of the parts' weights and vectors, at each of the iterations."""
    p = case.params
    schedule = PolyLR(learning_rate=p["base_lr"], power=p["power"],
                      total_steps=p["num_iterations"])
    optimizer = SGD(weight_decay=5e-4, weight_decay_on="weights",
                    custom_cfg=rules)(net, schedule(0))
    rows = []
    for it in case["in_iters"].tolist():
        optimizer.set_lr(schedule(it))
        found = {}
        for name, parameter in net.named_parameters():
            if not parameter.stop_gradient:
                part = name.split(".")[0]
                part = part if part in ("backbone", "classifier") else "head"
                found.setdefault((part, parameter.ndim > 1), set()).add(
                    optimizer.get_lr() *
                    parameter.optimize_attr["learning_rate"])
        assert all(len(rates) == 1 for rates in found.values())
        rows.append([found[part, decayed].pop()
                     for part in ("backbone", "head", "classifier")
                     for decayed in (True, False) if (part, decayed) in found])
    return np.array(rows)


@handles("ctt", "lr_poly")
def rates(case):
    small = SmallResNet(channels=[4, 6, 8, 8, 8])
    two = _rates(DeepLabV2(num_classes=3, backbone=small, head="gated",
                           channels=8, dilations=[1, 2]), _rules(CITY), case)
    for columns in (two[:, [0, 2]], two[:, [1, 3]], two[:, [1, 4]]):
        case.check("out_lr_two_groups", columns)
    case.check("out_lr_six_groups", _rates(strong.network(), _rules(VOC),
                                           case))


class _Numbers(nn.Layer):

    def __init__(self, value):
        super().__init__()
        for name in ("p", "other"):
            setattr(self, name, self.create_parameter(
                value.shape, default_initializer=nn.initializer.Assign(
                    value)))


@handles("ctt", "sgd_multiplicity")
def repeated(case):
    p, grads = case.params, case.tensor("in_grads")
    for count, less in ((1, 1), (3, 1), (4, 3)):
        net, rows = _Numbers(case["in_p0"]), []
        optimizer = SGD(
            momentum=p["momentum"], weight_decay=p["weight_decay"],
            custom_cfg=[{"name": "p", "repeats": count},
                        {"name": "other", "repeats": less}])(net, p["lr"])
        for grad in grads:
            ((net.p + net.other) * grad).sum().backward()
            optimizer.step()
            optimizer.clear_grad()
            rows.append([x.numpy().copy() for x in (net.p, net.other)])
        own, other = np.stack(rows, axis=1)
        case.check(f"out_p_mult{count}", own)
        case.check(f"out_p_mult{less}", other)
    with paddle.LazyGuard():  # names alone
        net = network("deeplabv2_resnet101_ctt", 19)
    counts = [rule_of(_rules(f"{CITY}_released"), f"student_l.{name}",
                      p).get("repeats", 1)
              for name, p in net.named_parameters()
              if name.startswith("backbone.") and not p.stop_gradient]
    assert (len(counts), sum(counts)) == (312, 942)


def _network(case, who):
    network = Pixels(len(case[f"in_{who}_cls_bias"]),
                     len(case[f"in_{who}_bn_bias"]))
    for name, tensor in _named(network).items():
        if f"in_{who}_{name}" in case.arrays:
            tensor.set_value(case[f"in_{who}_{name}"])
    return network


def _named(network):
    return {"conv_weight": network.conv.weight, "bn_weight":
            network.bn.weight, "bn_bias": network.bn.bias,
            "bn_running_mean": network.bn._mean, "bn_running_var":
            network.bn._variance, "cls_weight": network.classifier.weight,
            "cls_bias": network.classifier.bias}


def make_trainer(case, nets, total):
    """The method with its trainer, as the case describes them."""
    p = case.params
    method = CTT(
        make_model=factory(*nets), criterion=Criterion(
            [CrossEntropyLoss()], [1]), num_classes=len(case["in_l_cls_bias"]),
        mask="class", mixed_transforms=[], high_weight=p["w"],
        low_weight=p["w"], anchor_thresh=p["gamma"],
        temperatures=[p["T_high"], p["T_low"]], bank_rows=p["bank_slots"],
        bank_quota=p["quota"])
    optimizer = SGD(
        momentum=p["momentum"], weight_decay=p["weight_decay"],
        custom_cfg=[{"name": "classifier", "lr_mult": 10}])(method, p["lr"])
    return method, Trainer(
        method=method, optimizer=optimizer, total_steps=total,
        iters_per_epoch=1, schedule=PolyLR(
            learning_rate=p["lr"], total_steps=p["num_iterations"],
            power=p["poly_power"]))


def batch_of(case, i):
    images = case.tensor("in_images")
    labels = paddle.to_tensor(case["in_labels"].astype(np.int64))
    known, others = (paddle.to_tensor(case[f"in_{n}_idx"][i].astype(np.int64))
                     for n in ("labeled", "unlabeled"))
    return {"labeled": {"img": images[known], "label": labels[known]},
            "unlabeled": {"img": images[others]}}


@handles("ctt", "train_iterations")
def training(case):
    p = case.params
    nets = [_network(case, who) for who in ("l", "r")]
    nets += [Pixels(*(nets[0].classifier.weight.shape[:2])) for _ in "lr"]
    method, trainer = make_trainer(case, nets, p["iterations"])
    method.train()
    choices = []

    def draw(label):
        return ~class_mask(label, chosen_mask(
            label, choices.pop(0), label_count))

    label_count = len(case["in_l_cls_bias"])
    method.views.mixing.draw = draw
    rows = {name: [] for name in ("sup", "cross", "high", "low")}
    sizes = []
    for i in range(p["iterations"]):
        choices[:] = case["in_choice"][i]
        terms = trainer.run_step([batch_of(case, i)], trainer.step_of(i))
        assert not choices and not method.labeled
        for name, values in rows.items():
            weight = p["w"] if name in ("high", "low") else 1.0
            values.append([
                float(terms[f"loss_{name}_{a}"]) / weight
                if f"loss_{name}_{a}" in terms else np.nan for a in "lr"])
        sizes.append([[len(queue) for queue in bank.queues]
                      for bank in method.contrast.banks])
    for theirs, ours in (("sup", "sup"), ("ct", "cross"), ("high", "high"),
                         ("low", "low")):
        case.check(f"out_{theirs}", np.array(rows[ours]))
    case.check("out_bank_sizes", np.array(sizes))
    assert np.isnan(rows["high"]).any(axis=1).tolist() == [
        i < p["first_contrast_iteration"] for i in range(p["iterations"])]
    for bank, a in zip(method.contrast.banks, "lr"):
        case.check(f"out_bank_{a}", bank.rows())
    for who in ("student", "teacher"):
        for a in "lr":
            net = getattr(method, f"{who}_{a}")
            assert set(net.modes) == {"train"}
            for name, tensor in _named(net).items():
                case.check(f"out_{who}_{a}_{name}", tensor)

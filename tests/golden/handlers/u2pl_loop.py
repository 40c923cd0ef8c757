# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL: whole training loops on a tiny network."""

from unittest import mock

import numpy as np
import paddle

from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.engine.trainer import Trainer
from tests.golden.case import handles
from tests.golden.handlers.u2pl import criterion_of, method_of
from tests.support import contrast
from tests.support.tiny_u2pl import Network

_OURS = {"running_mean": "_mean", "running_var": "_variance"}


def _state(network, order):
    """Parameters or statistics in the case's order, one after the other."""
    own = network.state_dict()
    values = []
    for name, _ in order:
        head, _, last = name.rpartition(".")
        values.append(own[f"{head}.{_OURS.get(last, last)}"].numpy().ravel())
    return np.concatenate(values)


def _network(case, who):
    p = case.params
    aux = any(name.startswith("aux") for name, _ in p["param_order"])
    network = Network(p["C"], p["D"], aux)
    own = network.state_dict()
    for name, _ in [*p["param_order"], *p["buffer_order"]]:
        head, _, last = name.rpartition(".")
        own[f"{head}.{_OURS.get(last, last)}"].set_value(
            case[f"in_{who}0__{name}"])
    return network


def _batch(case, b):
    images = {part: paddle.to_tensor(case[f"in_image_{part}_{b}"].astype(
        np.float32)) for part in "lu"}
    label = paddle.to_tensor(case[f"in_label_l_{b}"].astype(np.int64))
    return {"labeled": {"img": images["l"], "label": label},
            "unlabeled": {"img": images["u"]}}


class _Watched:
    """Scripts the draws of a method and sees what its parts are given."""

    def __init__(self, case, method):
        self.case, self.method, self.i = case, method, None
        self.inner = {"mix": method.mix.draw, "contrast":
                      method.contrast.forward, "append":
                      method.contrast.memory.append}
        method.mix.draw = self.draw
        method.contrast.forward = self.contrast
        method.contrast.memory.append = self.append

    def at(self, i):
        self.i, self.seen = i, {}
        if f"in_draw_k_{i}" in self.case.arrays:
            self.counts = contrast.script(
                self.method.contrast, self.case[f"in_anchor_idx_{i}"],
                self.case[f"in_neg_idx_{i}"])

    def draw(self, label):
        name = f"in_masks_{self.i}"
        uniform = float(self.case[f"in_aug_uniform_{self.i}"])
        with mock.patch("numpy.random.random", lambda: uniform):
            drawn = self.inner["mix"](label)
        assert (drawn is None) == (name not in self.case.arrays)
        return None if drawn is None else paddle.to_tensor(
            self.case[name] == 0).unsqueeze(1)

    def contrast(self, *args, **options):
        self.seen.update(low=args[4], high=args[5])
        return self.inner["contrast"](*args, **options)

    def append(self, features, masks):
        self.seen["keys"] = masks.astype("int64").sum(axis=[0, 2, 3])
        return self.inner["append"](features, masks)


def _check_semi(case, i, watched, terms, step):
    method = watched.method
    case.check(f"out_pseudo_{i}", terms["show_pseudo_label"])
    case.check(f"out_drop_percent_{i}", method.percents(step)[0])
    pixels = terms["show_pseudo_label"].size
    case.check(f"out_n_kept_{i}", round(float(terms["kept_share"]) * pixels))
    case.check(f"out_low_mask_{i}", watched.seen["low"])
    case.check(f"out_high_mask_{i}", watched.seen["high"])
    case.check(f"out_new_keys_{i}", watched.seen["keys"])
    case.check(f"out_bank_sizes_{i}", [
        len(queue) for queue in method.contrast.memory.queues])
    assert len(watched.counts) == 2 * len(case[f"in_draw_k_{i}"])


@handles("u2pl", "train_trace_voc", "train_trace_city")
def loop(case):
    p = case.params
    student, teacher = _network(case, "student"), _network(case, "teacher")
    method = method_of(p, student, teacher, criterion=criterion_of(
        {**p["criterion"], "aux_weight": p["aux_weight"]}))
    total, (slow, fast) = p["epochs"] * p["L"], p["base_lr"]
    optimizer = SGD(
        momentum=p["momentum"], weight_decay=p["weight_decay"],
        custom_cfg=[{"name": f".{name}.", "lr_mult": slow / fast}
                    for name in ("c1", "b1", "c2", "b2")])(method, fast)
    trainer = Trainer(
        method=method, optimizer=optimizer, total_steps=total,
        iters_per_epoch=p["L"], schedule=PolyLR(
            learning_rate=fast, total_steps=total, power=p["power"]))
    method.train()
    watched = _Watched(case, method)
    for i in range(total):
        step = trainer.step_of(i)
        watched.at(i)
        teacher.modes.clear()
        terms = trainer.run_step([_batch(case, i % p["L"])], step)
        warm = step.epoch < p["sup_only_epoch"]
        assert teacher.modes == (["train"] if warm else ["eval", "train"])
        case.check(f"out_losses_{i}", np.array([
            float(terms.get(f"loss_{name}", 0.0))
            for name in ("sup", "unsup", "contrast")]))
        rate = trainer.learning_rate
        case.check(f"out_lr_{i}", np.array([rate * slow / fast, rate]))
        for who, net in (("student", student), ("teacher", teacher)):
            case.check(f"out_{who}_params_{i}", _state(net, p["param_order"]))
            case.check(f"out_{who}_bnstats_{i}",
                       _state(net, p["buffer_order"]))
        if not warm:
            _check_semi(case, i, watched, terms, step)
    for c, queue in enumerate(method.contrast.memory.queues):
        case.check(f"out_final_bank_{c}", queue.rows("feature"))

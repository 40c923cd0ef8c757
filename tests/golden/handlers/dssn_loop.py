# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DSSN: whole training loops on a tiny network."""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.engine import sliding_window
from contrib_semiseg.engine.inference import eager_forward
from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.schedules import PolyLR
from contrib_semiseg.engine.trainer import Trainer
from contrib_semiseg.metrics.confusion import Scores, confusion
from contrib_semiseg.models.segmentor import Segmentor
from tests.golden.case import handles
from tests.golden.handlers.dssn import criterion_of, method_of, not_padding
from tests.support.replay import UnbiasedBatchNorm2D

_OURS = {"running_mean": "_mean", "running_var": "_variance"}


def _our_name(name):
    head, _, last = name.rpartition(".")
    return f"{head}.{_OURS.get(last, last)}"


class _Encoder(nn.Layer):

    def __init__(self, state):
        super().__init__()
        a = state["backbone.conv_a.weight"].shape
        b = state["backbone.conv_b.weight"].shape
        self.conv_a = nn.Conv2D(a[1], a[0], 3, padding=1, bias_attr=False)
        self.bn_a = UnbiasedBatchNorm2D(a[0])
        self.conv_b = nn.Conv2D(b[1], b[0], 3, stride=2, padding=1,
                                bias_attr=False)
        self.bn_b = UnbiasedBatchNorm2D(b[0])
        self.feat_channels = [a[0], b[0]]

    def forward(self, x):
        c1 = F.relu(self.bn_a(self.conv_a(x)))
        return [c1, F.relu(self.bn_b(self.conv_b(c1)))]


class _Tiny(Segmentor):
    """The network of the loops."""

    def __init__(self, case, who):
        state = {k.removeprefix(f"in_{who}__"): v
                 for k, v in case.arrays.items()
                 if k.startswith(f"in_{who}__")}
        super().__init__(backbone=_Encoder(state), taps=[0, 1],
                         align_corners=True)
        width, channels = state["fuse.weight"].shape[:2]
        self.fuse = nn.Conv2D(channels, width, 1, bias_attr=False)
        self.bn_f = UnbiasedBatchNorm2D(width)
        self.classifier = nn.Conv2D(
            width, state["classifier.weight"].shape[0], 1)
        own = self.state_dict()
        for name, value in state.items():
            own[_our_name(name)].set_value(value)
        self.flags = []

    def decode(self, taps):
        c1, c4 = taps
        x = paddle.concat([c1, self.enlarge(c4, c1.shape[2:])], axis=1)
        feature = F.relu(self.bn_f(self.fuse(x)))
        return feature, feature

    def forward(self, x, outputs=None, perturb=()):
        self.flags.append(int(self.training))
        return super().forward(x, outputs, perturb)


def _images(array):
    return paddle.to_tensor(array.astype(np.float32) / 16)


def _loop_batch(case, i):
    def get(name):
        return case[f"in_{i}_{name}"]

    batch = {
        "labeled": {"img": _images(get("img_x")), "label": paddle.to_tensor(
            get("mask_x").astype(np.int64))},
        "unlabeled": {"weak": _images(get("img_u_w")),
                      "valid": not_padding(get("ignore_mask"))},
        "source": {"weak": _images(get("img_u_w_mix")),
                   "valid": not_padding(get("ignore_mask_mix"))}}
    for k in "12":
        batch["unlabeled"][f"strong{k}"] = _images(get(f"img_u_s{k}"))
        batch["unlabeled"][f"mask{k}"] = paddle.to_tensor(
            get(f"box{k}")).unsqueeze(1)
        batch["source"][f"strong{k}"] = _images(get(f"img_u_s{k}_mix"))
    return batch


def _perturb(case, i):
    """The two dropout streams, by the width of the feature."""
    streams = []
    for name in ("fp", "Fp"):
        keep = {}
        for tap in ("c1", "c4"):
            mask = case[f"in_{i}_keep_{tap}_{name}"].astype(np.float32) * 2
            keep[mask.shape[1]] = paddle.to_tensor(mask).unsqueeze([2, 3])
        streams.append(lambda x, keep=keep: x * keep[x.shape[1]])
    return streams


def _miou(case, network, crop):
    """Mean IoU in percent over all classes; an absent class counts 0."""
    total, i = 0, 0
    network.eval()
    while f"in_val_{i}_image" in case.arrays:
        label = case[f"in_val_{i}_label"][0].astype(np.int64)
        image = case[f"in_val_{i}_image"].astype(np.float32) / 16
        total = total + confusion(
            _predict(network, image, crop), label,
            case["in_student__classifier.weight"].shape[0], 255)
        i += 1
    network.train()
    return 100 * np.nan_to_num(Scores(total).iou).mean()


def _predict(network, image, crop):
    with paddle.no_grad():
        if crop is None:
            return network(paddle.to_tensor(image))[0].numpy()[0].argmax(0)
        maps = sliding_window.score(
            image[0].transpose(1, 2, 0), eager_forward(network),
            lambda window: window.transpose(2, 0, 1), crop_size=(crop, crop),
            stride=(int(crop * 2 / 3),) * 2, border="cut", sum_softmax=True)
    return sliding_window.argmax(maps)


@handles("dssn", "loop_voc", "loop_city")
def loop(case):
    p = case.params
    student, teacher = _Tiny(case, "student"), _Tiny(case, "teacher")
    is_city = "burnin_epochs" in p
    method = method_of(case, [student, teacher], criterion_of(p),
                     keep_rate=p["keep_rate"])
    total = p["epochs"] * p["iters_per_epoch"]
    multi = p["lr_multi"]
    optimizer = SGD(
        momentum=p["momentum"], weight_decay=p["weight_decay"],
        custom_cfg=[{"name": "backbone", "lr_mult": 1 / multi}])(
            method, p["lr"] * multi)
    trainer = Trainer(
        method=method, optimizer=optimizer,
        schedule=PolyLR(learning_rate=p["lr"] * multi, total_steps=total,
                        delay=1),
        total_steps=total, iters_per_epoch=p["iters_per_epoch"])
    method.train()
    flags = case["out_teacher_forward_training_flag"].tolist()
    kept = {key: [] for key in ("loss_all", "loss_x", "loss_w_fp",
                                "loss_s_mse", "loss_fp_mse", "mask_ratio")}
    rates, strong, mious = [], [], {"student": [], "teacher": []}
    for it in range(total):
        batch = _loop_batch(case, it % 2)
        method.perturb = _perturb(case, it % 2)
        step = trainer.step_of(it)
        teacher.flags.clear()
        terms = trainer.run_step([batch], step)
        expected, flags = flags[:2], flags[2:]
        # A warm-up step asks the teacher nothing; the reference does, and
        # throws its statistics away in the update.
        assert teacher.flags == ([] if method.is_warm_up(step) else expected)
        get = {k: float(v) for k, v in terms.items() if k[:4] != "show"}
        kept["loss_all"].append(float(method.total_loss(terms)))
        kept["loss_x"].append(2 * get["loss_sup"])
        kept["loss_w_fp"].append(
            4 * (get["loss_feature1"] + get["loss_feature2"]))
        kept["loss_s_mse"].append(200 * get["loss_align_image"])
        kept["loss_fp_mse"].append(200 * get["loss_align_feature"])
        kept["mask_ratio"].append(get["mask_ratio"])
        strong.append(4 * (get["loss_strong1"] + get["loss_strong2"])
                      if "loss_strong1" in get else np.nan)
        rates.append([trainer.learning_rate / multi, trainer.learning_rate])
        if (it + 1) % p["iters_per_epoch"] == 0:
            for who, net in (("student", student), ("teacher", teacher)):
                mious[who].append(_miou(case, net,
                                        p["crop"] if is_city else None))
            flags = flags[sum(k.endswith("_image") for k in case.arrays):]
    for key, values in kept.items():
        case.check(f"out_{key}", np.array(values))
    case.check("out_lr_used", np.array(rates))
    asked = ~np.isnan(strong)
    assert asked.sum() >= total - p.get("burnin_epochs", 0) * \
        p["iters_per_epoch"] - 1
    np.testing.assert_allclose(np.array(strong)[asked],
                               case["out_loss_s"][asked],
                               **case.tolerance("out_loss_s"))
    case.mark("out_loss_s", "out_teacher_forward_training_flag")
    for who, net in (("student", student), ("teacher", teacher)):
        case.check(f"out_val_miou_{who}", np.array(mious[who]))
        own = net.state_dict()
        for key in case.arrays:
            if key.startswith(f"out_{who}__"):
                name = _our_name(key.removeprefix(f"out_{who}__"))
                case.check(key, own[name])

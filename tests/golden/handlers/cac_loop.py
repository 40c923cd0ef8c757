# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC: whole iterations of a tiny network, rates and scores."""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from contrib_semiseg.engine.evaluator import evaluate
from contrib_semiseg.engine.inference import Inferencer, eager_forward
from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.schedules import NominalPolyLR, PolyLR
from contrib_semiseg.engine.trainer import Trainer
from contrib_semiseg.losses.cross_entropy import cross_entropy
from contrib_semiseg.methods.base import Step
from contrib_semiseg.methods.cac import CAC
from contrib_semiseg.metrics.confusion import Scores, confusion
from contrib_semiseg.models.segmentor import Segmentor
from contrib_semiseg.transforms.crops import OverlapCrops
from tests.golden.case import handles
from tests.golden.handlers.eval_modes import _areas, _Arrays
from tests.support.recorded_views import whole
from tests.support.replay import MainLogits, UnbiasedBatchNorm2D

CRITERION = MainLogits(lambda out, label: cross_entropy(out, label, 255))


class _Norm(UnbiasedBatchNorm2D):
    """Counts the batches that it has seen."""

    calls = 0

    def forward(self, x):
        self.calls += self.training
        return super().forward(x)


class _Encoder(nn.Layer):

    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2D(3, width, 1, bias_attr=False)
        self.bn = _Norm(width)
        self.feat_channels = [width]

    def forward(self, x):
        return [F.relu(self.bn(self.conv(F.avg_pool2d(x, 4))))]


class _Tiny(Segmentor):
    """The network of the cases."""

    def __init__(self, case):
        width, classes = case["in_p_proj0_w"].shape[0], len(case["in_p_cls_b"])
        super().__init__(backbone=_Encoder(width), taps=0, align_corners=True)
        self.classifier = nn.Conv2D(width, classes, 1)
        self.embedding = nn.Sequential(
            nn.Conv2D(width, width, 1), nn.ReLU(),
            nn.Conv2D(width, len(case["in_p_proj2_b"]), 1))
        for name, tensor in self.named().items():
            tensor.set_value(case[f"in_p_{name}"])

    def decode(self, taps):
        return taps[0], taps[0]

    def named(self):
        """Parameters under the cases' names."""
        found = {"enc_conv_w": self.backbone.conv.weight,
                 "enc_bn_w": self.backbone.bn.weight,
                 "enc_bn_b": self.backbone.bn.bias}
        for name, layer in (("cls", self.classifier),
                            ("proj0", self.embedding[0]),
                            ("proj2", self.embedding[2])):
            found.update({f"{name}_w": layer.weight, f"{name}_b": layer.bias})
        return found


def _method(case, net, **options):
    p, (count, _, *size) = case.params, case["in_x_l"].shape[-4:]
    return CAC(model=net, criterion=CRITERION, batch_size=count,
               crops=OverlapCrops(crop_size=size[::-1]),
               temperature=p["T"], conf_thresh=p["thr"],
               contrast_weight=p["weight"], selected_num=p["sel"], **options)


def _picks(method, case, at=...):
    """Let the memory take the case's cells."""
    waiting = [paddle.to_tensor(case[f"in_idx{k}"][at]) for k in "12"]
    method.draw = lambda cells: waiting.pop(0)


def _batch(case, at=...):
    unlabeled = {}
    for v, view in enumerate(("view1", "view2")):
        unlabeled[view] = case["in_x_ul"][at][:, v]
        unlabeled[f"{view}_overlap"] = np.concatenate(
            [case[f"in_{end}{v + 1}"][at] for end in ("ul", "br")], axis=1)
        unlabeled[f"{view}_mirrored"] = case["in_flip"][at][:, v]
    assert set(whole(1, 1, 1)) < set(unlabeled)
    labeled = {"img": case["in_x_l"][at],
               "label": case["in_target"][at].astype(np.int64)}
    return {stream: {k: paddle.to_tensor(v) for k, v in keys.items()}
            for stream, keys in (("labeled", labeled),
                                 ("unlabeled", unlabeled))}


@handles("cac", "full_iteration")
def full_iteration(case):
    start = case.params["epoch_start_unsup"]
    early = _Tiny(case)
    method = _method(case, early, start_epoch=start)
    method.train()
    terms = method(_batch(case), Step(it=9, total=99, epoch=start - 1))
    case.check("out_total_before_start", method.total_loss(terms))
    for name, own in (("mean", "_mean"), ("var", "_variance")):
        case.check(f"out_bn_{name}_before_start",
                   getattr(early.backbone.bn, own))
    assert list(terms) == ["loss_sup"] and not len(method.memory)

    net = _Tiny(case)
    method = _method(case, net, start_epoch=start)
    method.train()
    _picks(method, case)
    with _Seen(method) as seen:
        terms = method(_batch(case), Step(it=9, total=99, epoch=start))
    case.check("out_loss_sup", terms["loss_sup"])
    unsupervised = 0
    for k in "12":
        unsupervised += terms[f"loss_contrast{k}"]
        case.check(f"out_loss{k}",
                   terms[f"loss_contrast{k}"] / case.params["weight"])
        for name, value in seen[k].items():
            case.check(f"out_{name}{k}", value)
    case.check("out_loss_unsup", unsupervised)
    case.check("out_total", method.total_loss(terms))
    case.check("out_bn_calls", net.backbone.bn.calls)
    case.check("out_bn_mean", net.backbone.bn._mean)
    case.check("out_bn_var", net.backbone.bn._variance)
    method.total_loss(terms).backward()
    for name, tensor in net.named().items():
        case.check(f"grad_p_{name}", tensor.grad)
    with paddle.no_grad():
        case.check("out_sup_pred", _Tiny(case)(case.tensor("in_x_l"))[0]
                   [:, :, ::4, ::4])


class _Seen(dict):
    """Inside, what a step finds of its anchors: {"1": {"mask": ...}, ...}."""

    def __init__(self, method):
        super().__init__()
        self.method = method

    def __enter__(self):
        self.inner = self.method.direct

        def direct(own, other, memory):
            learns, loss = self.inner(own, other, memory)
            self[str(len(self) + 1)] = {
                "mask": learns.astype("float32"), "conf": own.conf,
                "pl": own.label}
            return learns, loss

        self.method.direct = direct
        return self

    def __exit__(self, *_):
        self.method.direct = self.inner


@handles("cac", "train_steps")
def train_steps(case):
    p = case.params
    net = _Tiny(case)
    method = _method(case, net, start_epoch=1, step_save=p.get("step_save", 1))
    total = p["epochs"] * p["iters_per_epoch"]
    optimizer = SGD(
        momentum=p["momentum"], weight_decay=p["weight_decay"],
        custom_cfg=[{"name": "backbone.conv", "lr_mult": 0.1}])
    trainer = Trainer(
        method=method, optimizer=optimizer(method, p["base_lr"]),
        schedule=PolyLR(learning_rate=p["base_lr"], power=p["power"],
                        total_steps=total),
        total_steps=total, iters_per_epoch=p["iters_per_epoch"])
    method.train()
    losses, rates = [], []
    for i in range(len(case["in_x_l"])):
        _picks(method, case, i)
        terms = trainer.run_step([_batch(case, i)], trainer.step_of(i))
        pair = [float(terms.get(f"loss_contrast{k}", np.nan)) for k in "12"]
        losses.append([
            float(terms["loss_sup"]), *(v / p["weight"] for v in pair),
            sum(pair), float(method.total_loss(terms))])
        rates.append([trainer.learning_rate, trainer.learning_rate / 10])
    case.check("out_losses", np.array(losses))
    case.check("out_lr", np.array(rates))
    for name, tensor in net.named().items():
        case.check(f"out_p_{name}", tensor)
    case.check("out_bn_mean", net.backbone.bn._mean)
    case.check("out_bn_var", net.backbone.bn._variance)


class _Enlarged(Segmentor):
    """Only `enlarge` is used."""

    def __init__(self):
        backbone = nn.Layer()
        backbone.feat_channels = [1]
        super().__init__(backbone=backbone, taps=0, align_corners=True)


@handles("cac", "sup_loss")
def supervised(case):
    logits, label = case.tensor("in_logits", grad=True), case["in_target"]
    large = _Enlarged().enlarge(logits, label.shape[1:])
    loss = cross_entropy(large, paddle.to_tensor(label),
                         case.params["ignore_index"])
    loss.backward()
    case.check("out_up", large)
    case.check("out_loss", loss)
    case.check("grad_logits", logits.grad)


def _pairs(rates):
    """Rates of the fast group and of the backbone."""
    return np.stack([rates, np.array(rates) / 10], axis=-1)


@handles("cac", "poly_lr", "poly_lr_shipped")
def poly(case):
    p = case.params
    total = p["epochs"] * p["iters_per_epoch"]
    schedule = PolyLR(learning_rate=p["base_lr"], total_steps=total)
    steps = case["in_iter"] if "in_iter" in case.arrays else range(total)
    case.check("out_lr", _pairs([schedule(int(t)) for t in steps]))
    case.check("out_lr_after_last", _pairs(schedule(total)))


@handles("cac", "poly_lr_supervised_only_bug")
def misjudged_epochs(case):
    p = case.params
    total = p["epochs"] * p["loader_len"]
    schedule = NominalPolyLR(
        learning_rate=p["base_lr"], total_steps=total,
        epoch_iters=p["loader_len"],
        nominal_iters=p["nominal_iters_per_epoch"])
    case.check("out_lr", _pairs([schedule(t) for t in range(total)]))
    case.check("out_lr_after_last", _pairs(schedule(total)))


@handles("cac", "metrics")
def metric(case):
    classes, ignore = case.params["K"], case.params["ignore_index"]
    total, j = 0, 0
    while f"in_logits{j}" in case.arrays:
        matrix = confusion(case[f"in_logits{j}"].argmax(axis=1),
                           case[f"in_target{j}"], classes, ignore)
        hit, union, _ = _areas(matrix)
        for name, value in (("inter", hit), ("union", union),
                            ("correct", np.trace(matrix)),
                            ("labeled", matrix.sum())):
            case.check(f"out_{name}{j}", value)
        total, j = total + matrix, j + 1
    scores = Scores(total)
    # A class that is nowhere has no IoU here, and is 0 in the release.
    iou = np.nan_to_num(scores.iou)
    case.check("out_iou", iou)
    case.check("out_miou", iou.mean())
    case.check("out_miou_reported", round(iou.mean(), 3))
    case.check("out_pixacc", scores.accuracy)


class _Coarse(nn.Layer):
    """A convolution of stride 4, enlarged to the size of its input."""

    def __init__(self, case):
        super().__init__()
        self.conv = nn.Conv2D(3, len(case["in_conv_b"]), 3, stride=4,
                              padding=1)
        self.conv.weight.set_value(case["in_conv_w"])
        self.conv.bias.set_value(case["in_conv_b"])
        self.large, self.inputs = _Enlarged(), []

    def forward(self, x):
        self.inputs.append(x)
        return [self.large.enlarge(self.conv(x), x.shape[2:])]


@handles("cac", "eval_loop")
def evaluation(case):
    count = sum(name.startswith("in_image") for name in case.arrays)
    targets = [case[f"in_target{j}"] for j in range(count)]
    dataset = _Arrays([case[f"in_image{j}"] for j in range(count)], targets,
                      len(case["in_conv_b"]))
    network = _Coarse(case)
    run = Inferencer(forward=eager_forward(network),
                     pad_multiple=case.params["pad_multiple"])
    scores = evaluate(run, dataset)
    case.check("out_padded_last", network.inputs[-1])
    hit, union, _ = _areas(scores.matrix)
    case.check("out_total_inter", hit)
    case.check("out_total_union", union)
    case.check("out_correct", np.trace(scores.matrix))
    case.check("out_labeled", scores.matrix.sum())
    losses = []
    for j in range(count):
        classes, maps = run(dataset.read(j)[0])
        losses.append(float(cross_entropy(
            paddle.to_tensor(maps[None]), paddle.to_tensor(targets[j]),
            case.params["ignore_index"])))
    case.check("out_logits_last", maps[None])
    case.check("out_pred_last", classes[None])
    case.check("out_val_loss", round(np.mean(losses), 5))
    iou = np.nan_to_num(scores.iou)
    case.check("out_class_iou", iou.round(3))
    case.check("out_miou", round(iou.mean(), 3))
    case.check("out_pixacc", round(scores.accuracy, 3))

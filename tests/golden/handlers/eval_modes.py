# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Whole image, centre and cut windows; the metric with absent classes."""

import numpy as np
import paddle
from paddle.nn import functional as F

from contrib_semiseg.engine import sliding_window
from contrib_semiseg.engine.evaluator import evaluate
from contrib_semiseg.engine.inference import Inferencer
from contrib_semiseg.metrics.confusion import Scores, confusion
from tests.golden.case import handles


class _Arrays:
    """A dataset of normalised images and their masks."""

    ignore_index = 255

    def __init__(self, images, masks, num_classes):
        self.images = [i[0].transpose(1, 2, 0) for i in images]
        self.masks = [m[0] for m in masks]
        self.num_classes = num_classes
        self.class_names = list(map(str, range(num_classes)))

    def __len__(self):
        return len(self.images)

    def name(self, index):
        return str(index)

    def read(self, index):
        return self.images[index], self.masks[index]


class _Convolution:
    """One convolution; remembers the sizes of its inputs."""

    def __init__(self, case):
        self.weight, self.bias = case.tensor("in_weight"), case.tensor(
            "in_bias")
        self.sizes = []

    def __call__(self, x):
        self.sizes.append(list(x.shape[2:]))
        return F.conv2d(paddle.to_tensor(x), self.weight, self.bias,
                        padding=self.weight.shape[2] // 2).numpy()


def _check_classes(case, name, classes, maps):
    """Classes as expected, but where two are as good as equal."""
    expected = case[name].reshape(classes.shape).astype(np.int64)
    rows, columns = np.nonzero(classes != expected)
    np.testing.assert_allclose(
        maps[expected[rows, columns], rows, columns],
        maps[classes[rows, columns], rows, columns], err_msg=name,
        **case.tolerance(name))
    case.mark(name)


def _percent(scores):
    """IoU of each class, 0 where it is nowhere, and their mean."""
    iou = 100 * np.nan_to_num(scores.iou)
    return iou, iou.mean()


@handles("unimatch", "evaluate_modes")
def evaluate_modes(case):
    p = case.params
    size, numbers = [p["crop_size"]] * 2, range(len(p["sizes"]))
    dataset = _Arrays([case[f"in_img_{i}"] for i in numbers],
                      [case[f"in_mask_{i}"] for i in numbers], p["nclass"])
    for mode, options in (
        ("original", {}),
        ("center_crop", dict(center_crop=True, crop_size=size)),
        ("sliding_window", dict(
            is_slide=True, crop_size=size, border="cut", sum_softmax=True,
            stride=[int(s * 2 / 3) for s in size])),
    ):
        network = _Convolution(case)
        run = Inferencer(forward=network, **options)
        iou, mean = _percent(evaluate(run, dataset))
        if mode == "sliding_window":
            case.check("out_window_shapes", np.array(network.sizes))
        case.check(f"out_{mode}_iou", iou)
        case.check(f"out_{mode}_miou", mean)
        for i in numbers:
            _check_classes(case, f"out_{mode}_pred_{i}",
                           *run(run.evaluated(dataset.read(i)[0])))


@handles("dssn", "sliding_window")
def cut_windows(case):
    p = case.params
    network = _Convolution(case)
    slope = np.linspace(-1, 1, p["nclass"])

    def forward(x):
        mean = x.mean(axis=(2, 3)).sum(axis=1)
        shift = mean[:, None] * slope
        return (network(x) - shift[:, :, None, None]).astype(np.float32)

    dataset = _Arrays([case["in_x"]], [case["in_label"]], p["nclass"])
    run = Inferencer(forward=forward, is_slide=True, border="cut",
                     crop_size=[p["grid"]] * 2, stride=[p["stride"]] * 2,
                     sum_softmax=True)
    classes, maps = run(dataset.read(0)[0])
    assert network.sizes == p["windows"]
    case.check("out_prob_sum", maps[None])
    _check_classes(case, "out_pred", classes, maps)
    iou, mean = _percent(evaluate(run, dataset))
    case.check("out_iou_class", iou)
    case.check("out_miou", mean)
    # Windows of one size that share a pass change nothing.
    np.testing.assert_allclose(sliding_window.score(
        dataset.images[0], forward, lambda image: image.transpose(2, 0, 1),
        crop_size=(p["grid"],) * 2, stride=(p["stride"],) * 2, border="cut",
        sum_softmax=True, batch=3), maps, rtol=1e-5)


def _areas(matrix):
    """Intersection, union and true pixels of each class."""
    hit, truth = np.diag(matrix), matrix.sum(1)
    return hit, truth + matrix.sum(0) - hit, truth


@handles("unimatch", "metric_miou")
def metric(case):
    k, ignore = case.params["K"], case.params["ignore"]
    matrix = confusion(case["in_pred"], case["in_target"], k, ignore)
    for name, value in zip(("intersection", "union", "target_area"),
                           _areas(matrix)):
        case.check(f"out_{name}", value)
    iou, mean = _percent(Scores(matrix))
    case.check("out_iou_class", iou)
    case.check("out_miou", mean)
    # Labels equal to K are none of ours and left out; the reference counts
    # them as class K - 1, never hit, beside what is predicted there.
    target, pred = case["in_target_with_K"], case["in_pred"]
    hit, union, truth = _areas(confusion(pred, target, k, ignore))
    foreign = np.bincount(pred[target == k], minlength=k)
    last = np.arange(k) == k - 1
    case.check("out_intersection_K", hit)
    case.check("out_target_area_K", truth + foreign.sum() * last)
    case.check("out_union_K", union + foreign + foreign.sum() * last)


@handles("dssn", "miou_metric")
def metric_of_images(case):
    k, ignore = case.params["K"], case.params["ignore_index"]
    total, j = 0, 0
    while f"in_{j}_pred" in case.arrays:
        matrix = confusion(case[f"in_{j}_pred"], case[f"in_{j}_label"], k,
                           ignore)
        for name, value in zip(("intersection", "union", "target"),
                               _areas(matrix)):
            case.check(f"out_{j}_{name}", value)
        total, j = total + matrix, j + 1
    iou, mean = _percent(Scores(total))
    case.check("out_iou_class", iou)
    case.check("out_miou", mean)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL: lists, transforms, strong changes of a batch, evaluation."""

import numpy as np
import paddle
import paddle.nn.functional as F

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.datasets.sampling import (
    resampled_indices,
    training_streams,
)
from contrib_semiseg.engine import sliding_window
from contrib_semiseg.engine.inference import Inferencer
from contrib_semiseg.methods.batch_mixing import BatchMixing
from contrib_semiseg.metrics.confusion import Scores, confusion
from contrib_semiseg.mixing.boxes import (
    boxes_to_mask,
    draw_half_boxes,
    half_box_height,
    half_box_widths,
)
from contrib_semiseg.mixing.class_mask import class_mask
from contrib_semiseg.mixing.paste import cut_out, paste_next
from contrib_semiseg.transforms import pipeline
from contrib_semiseg.transforms.geometric import (
    CenterPad,
    RandomCrop,
    RandomMirror,
    RandomSpreadScale,
)
from tests.golden.case import handles
from tests.golden.handlers.eval_modes import _areas, _percent


@handles("u2pl", "list_resampling")
def list_resampling(case):
    for j, (n, length, seed) in enumerate(case.params["configs"]):
        case.check(f"out_order_{j}", resampled_indices(n, length, seed))
        streams = training_streams(labeled=n, unlabeled=length, batch=1,
                                   seed=seed, list_resampling=True)
        for epoch in range(2):
            assert sorted(streams["labeled"].order(epoch)) == sorted(
                case[f"out_order_{j}"])


class _Uniform:
    """A generator of given uniforms; `last` draws the largest integers."""

    def __init__(self, *values):
        self.values = [float(v) for v in values]

    def random(self):
        return self.values.pop(0)

    def uniform(self, low, high):
        return low + (high - low) * self.values.pop(0)

    def integers(self, stop):
        return stop - 1


def _normalize(params):
    return manager.TRANSFORMS["Normalize"](
        mean=[m / 255 for m in params["mean"]],
        std=[s / 255 for s in params["std"]])


@handles("u2pl", "transform_up_crop", "transform_down_pad")
def random_transform(case):
    p = case.params
    size = p["crop"][::-1]
    # The three uniforms decide, scale and mirror.
    rng = _Uniform(*case["in_uniforms"])
    data = {"img": case["in_image"], "label": case["in_label"],
            "gt_fields": ["label"], "trans_info": [], "rng": rng}
    crop = RandomCrop(crop_size=size, inside=True)
    data = pipeline.run(
        [_normalize(p), RandomSpreadScale(min_scale=p["scale"][0],
                                          max_scale=p["scale"][1]),
         RandomMirror(), CenterPad(size=size, pad_label=0)], data)
    assert not rng.values
    case.check("out_offset_max", np.array(
        crop.draw(rng, *data["img"].shape[:2])))
    data = crop.apply(data, *case["in_crop_offset"].tolist())
    case.check("out_image", data["img"].transpose(2, 0, 1))
    case.check("out_label", data["label"])


@handles("u2pl", "transform_val_center")
def center_transform(case):
    p = case.params
    run = Inferencer(forward=None, transforms=[_normalize(p)],
                     center_crop=True, crop_size=p["crop"][::-1], pad_label=0)
    case.check("out_image", run.first_input(run.evaluated(
        case["in_image"]))[0])
    case.check("out_label", run.evaluated(case["in_label"]))
    assert not case["out_offset_max"].size
    case.mark("out_offset_max")


@handles("u2pl", "mix_cutmix", "mix_cutout", "mix_classmix")
def mix(case):
    kind, classes = case.params["mode"], case.params["C"]
    mask = paddle.to_tensor(case["in_mask"] == 0).unsqueeze(1)
    label = case.tensor("in_label")
    mixing = BatchMixing(kind, 1.0, num_classes=classes, ignore_index=255)
    images, mixed = mixing.apply(case.tensor("in_image"), label, mask)
    case.check("out_image", images)
    case.check("out_label", mixed)
    # Confidences move like the labels; no loss here reads them.
    conf = case.tensor("in_conf")
    case.check("out_conf", cut_out(conf, mask, 0) if kind == "cutout" else
               paste_next(conf, mask))
    if kind == "classmix":
        kept = np.array([[(case["in_mask"][i][own == c] == 1).any()
                          for c in range(classes)]
                         for i, own in enumerate(case["in_label"])])
        assert [row.sum() for row in kept] == [
            len(np.unique(own)) // 2 for own in case["in_label"]]
        np.testing.assert_array_equal(
            class_mask(label, paddle.to_tensor(kept)), ~mask.numpy())


@handles("u2pl", "cutbox_from_draws")
def box_from_draws(case):
    boxes, ranges = [], []
    for height, width, wide, left, top in case["in_hw_draws"].tolist():
        tall = half_box_height(height, width, wide)
        boxes.append([top, top + tall, left, left + wide])
        ranges.append([*half_box_widths(width), width - wide, height - tall])
    case.check("out_box", boxes)
    case.check("out_ranges", ranges)


@handles("u2pl", "cutbox_law")
def box_law(case):
    height, width, n = (case.params[k] for k in ("H", "W", "n"))
    boxes = draw_half_boxes(np.random.default_rng(0), n, height, width)
    masks = boxes_to_mask(boxes[:, None], height, width)
    top, left, tall, wide = boxes.T
    values = np.stack([wide, tall, wide * tall / (height * width), left, top,
                       masks.mean(axis=(1, 2, 3))])
    error = 5 * case["out_std_f64"] / np.sqrt(n)
    assert (abs(values.mean(axis=1) - case["out_mean_f64"]) < error).all()
    case.mark("out_mean_f64")
    for name in ("std", "min", "max"):
        case.check(f"out_{name}_f64", getattr(values, name)(axis=1))


@handles("u2pl", "sliding_window")
def windows(case):
    p, visits = case.params, []
    weight, bias = case.tensor("in_weight"), case.tensor("in_bias")

    def forward(x):
        size = x.shape[2:]
        visits.append(size)
        z = F.conv2d(paddle.to_tensor(x), weight, bias, stride=2, padding=1)
        return F.interpolate(z, size, mode="bilinear",
                             align_corners=True).numpy()

    def sum_of(network):
        crop = p["crop"][::-1]
        assert p["stride_rate"] == "2/3"
        return sliding_window.score(
            case["in_image"][0].transpose(1, 2, 0), network,
            lambda image: image.transpose(2, 0, 1), crop_size=crop,
            stride=sliding_window.default_stride(crop))

    total = sum_of(forward)
    case.check("out_n_windows", len(visits))
    # The sum has the classes of the mean that the reference returns.
    counts = sum_of(lambda x: np.ones((len(x), 1, *x.shape[2:]), np.float32))
    mean = F.interpolate(paddle.to_tensor(total / counts).unsqueeze(0),
                         p["orig"], mode="bilinear", align_corners=True)[0]
    case.check("out_logits", mean)
    case.check("out_argmax", mean.argmax(axis=0))
    if p["orig"] == p["image"]:
        np.testing.assert_array_equal(sliding_window.argmax(total),
                                      case["out_argmax"])


@handles("u2pl", "miou")
def metric(case):
    matrix, j = 0, 0
    while f"in_pred_{j}" in case.arrays:
        one = confusion(case[f"in_pred_{j}"], case[f"in_label_{j}"],
                        case.params["C"])
        for name, value in zip(("inter", "union", "target"), _areas(one)):
            case.check(f"out_{name}_{j}", value)
        matrix, j = matrix + one, j + 1
    iou, mean = _percent(Scores(matrix))
    case.check("out_iou", iou / 100)
    case.check("out_miou", mean / 100)

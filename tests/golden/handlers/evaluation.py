# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden cases of the sliding window and of the metric."""

import math

import numpy as np

from contrib_semiseg.engine import sliding_window
from contrib_semiseg.metrics.confusion import Scores, confusion
from tests.golden.case import handles

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _normalize(image):
    image = (image / 255.0 - np.array(MEAN)) / np.array(STD)
    return image.astype(np.float32).transpose(2, 0, 1)


def _fake_model(case):
    """The network of the case: linear in colour and place in the window."""

    def forward(x):
        n, _, h, w = x.shape
        rows, columns = np.meshgrid(np.arange(h) / h, np.arange(w) / w,
                                    indexing="ij")
        logits = np.einsum("ck,nkhw->nchw", case["in_A"], x)
        for name, factor in (("B", 1.0), ("D", rows), ("E", columns)):
            logits = logits + case[f"in_{name}"][None, :, None, None] * factor
        return logits.astype(np.float32)

    return forward


@handles("cps", "sliding_window_eval")
def check_sliding_window(case):
    for i, sub in enumerate(case.params["sub"]):
        image, crop = case[f"in_img_{i}"], sub["crop"]
        assert image.shape[:2] == (sub["H"], sub["W"])
        stride = math.ceil(crop * sub["stride_rate"])
        scores = [sliding_window.multi_scale(
            image, _fake_model(case), _normalize, scales=sub["scales"],
            crop_size=(crop, crop), stride=(stride, stride),
            flips=sliding_window.flip_axes(sub["flip"], False), batch=batch)
                  for batch in (1, 3)]
        for score in scores:
            case.check(f"out_score_{i}", score.transpose(1, 2, 0))
            case.check(f"out_pred_{i}", sliding_window.argmax(score),
                       atol=0, rtol=0)
        if math.isclose(sub["stride_rate"], 2 / 3):
            assert (stride, stride) == sliding_window.default_stride(
                (crop, crop))


@handles("cps", "miou_metric")
def check_metric(case):
    matrix = sum(confusion(pred, label, case.params["C"], 255)
                 for pred, label in zip(case["in_pred"], case["in_gt"]))
    scores = Scores(matrix)
    case.check("out_hist", scores.matrix)
    case.check("out_iou", scores.iou)
    case.check("out_miou", scores.miou)
    case.check("out_miou_no_background", scores.miou_no_background)
    case.check("out_pixel_acc", scores.accuracy)

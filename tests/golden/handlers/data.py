# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CPS: training transform, list stretching, epoch table, box masks."""

import numpy as np

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.datasets.sampling import epoch_counts, extend_indices
from contrib_semiseg.mixing.boxes import (
    BoxMask,
    boxes_from_draws,
    boxes_to_mask,
)
from contrib_semiseg.transforms import pipeline
from contrib_semiseg.transforms.geometric import (
    CenterPad,
    RandomCrop,
    RandomMirror,
    RandomScale,
)
from tests.golden.case import handles

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as published


class _LargestDraw:
    """A generator whose integers are always the largest possible."""

    def integers(self, stop):
        return stop - 1


@handles("cps", "train_preprocess")
def train_preprocess(case):
    size = case.params["crop_w"], case.params["crop_h"]
    scale_op = RandomScale(factors=case.params["scale_choices"])
    crop = RandomCrop(crop_size=size)
    normalize = manager.TRANSFORMS["Normalize"](mean=MEAN, std=STD)
    for i, sub in enumerate(case.params["sub"]):
        data = dict(img=case["in_img_rgb"], label=case["in_gt"],
                    gt_fields=["label"], trans_info=[],
                    rng=np.random.default_rng(0))
        data = RandomMirror().apply(data, sub["mirror"])
        data = scale_op.apply(data, sub["scale"])
        height, width = data["img"].shape[:2]
        assert [height, width] == sub["resized"]
        # Ranges are listed for the axes that are longer than the crop.
        ranges = iter(sub["randint_ranges_inclusive"])
        highest = [next(ranges)[1] if length > limit else 0 for length, limit
                   in zip((height, width), size[::-1])]
        assert list(crop.draw(_LargestDraw(), height, width)) == highest
        data = crop.apply(data, *sub["top_left"])
        data = pipeline.run([normalize, CenterPad(size=size)], data)
        case.check(f"out_img_{i}", data["img"].transpose(2, 0, 1))
        case.check(f"out_gt_{i}", data["label"])


@handles("cps", "file_list_extension")
def file_list_extension(case):
    for i, sub in enumerate(case.params["sub"]):
        case.check(f"out_index_{i}", extend_indices(
            sub["files"], sub["length"], case[f"in_perm_{i}"]))


@handles("cps", "schedule_voc", "schedule_city")
def schedule(case):
    rows = []
    for ratio, *_, epochs, _ in case["out_table"].tolist():
        counts = epoch_counts(case.params["total"], ratio,
                              case.params["batch_size"])
        # The epochs are published numbers: given, not computed.
        rows.append([ratio, *counts, epochs, counts[-1] * epochs])
    case.check("out_table", np.array(rows))


@handles("cps", "boxmask_given_draws")
def boxmask_given_draws(case):
    p = case.params
    assert p["within_bounds"], "boxes that leave the image are not offered"
    share = dict(low=p["lo"], high=p["hi"])
    for variant, more in (("default", {}), ("by_size", dict(by_size=True)),
                          ("noinvert", {}), ("fixed_aspect", {})):
        draws = [case[f"in_{variant}_u{k}"] for k in range(3)
                 if f"in_{variant}_u{k}" in case.arrays]
        if variant == "fixed_aspect":
            draws.insert(1, None)
        boxes = boxes_from_draws(*draws, p["H"], p["W"], **share, **more)
        case.check(f"out_{variant}_mask", boxes_to_mask(
            boxes, p["H"], p["W"], invert=variant == "noinvert"))


@handles("cps", "boxmask_law")
def boxmask_law(case):
    p, draw = case.params, BoxMask(n_boxes=3, min_area=0.25, max_area=0.5)
    rng = np.random.default_rng(0)
    fractions, hits = [], np.zeros((p["H"], p["W"]))
    for _ in range(p["draws"]):
        mask = draw(rng, p["H"], p["W"])[0]
        fractions.append(mask.mean())
        hits += mask
    # The tolerances that the manifest states in words, widened where a set
    # holds fewer draws than the 10000 they were made for.
    slack = max(1.0, np.sqrt(10000 / p["draws"]))
    levels = np.array([1, 5, 25, 50, 75, 95, 99]) / 100
    for name, value, atol in (
        ("out_fraction_mean", np.mean(fractions), 0.004),
        ("out_fraction_std", np.std(fractions), 0.004),
        ("out_fraction_quantiles", np.quantile(fractions, levels), 0.012),
        ("out_pixel_prob", hits / p["draws"], 0.03),
    ):
        case.check(name, value, atol=atol * slack, rtol=0)

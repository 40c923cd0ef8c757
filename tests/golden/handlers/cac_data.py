# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC: pairs of crops, pixels, colours and the order of batches."""

import numpy as np

from contrib_semiseg.datasets.sampling import CycledStream
from contrib_semiseg.transforms import color, pipeline
from contrib_semiseg.transforms.crops import CropPair, OverlapCrops, snap
from contrib_semiseg.transforms.geometric import (
    PadRandomCrop,
    RandomLongSide,
    RandomMirror,
)
from tests.golden.case import handles
from tests.golden.handlers.data import MEAN, STD
from tests.golden.handlers.views import Scripted, normalize

FILL = [124, 116, 104]  # the mean, rounded


class _Numbers(Scripted):
    """A generator that gives these integers and reals, in turn."""

    def integers(self, low, high, endpoint):
        assert endpoint and low == 0
        value = int(self.values.pop(0))
        assert value <= high
        return value


def _resize(params, low=0.8):
    return RandomLongSide(base_size=params["base_size"], min_scale=low,
                          max_scale=2.0, interpolation="bicubic",
                          nearest="corner")


def _crops(params, **options):
    low, high = params.get("iou_bound", (0.1, 1.0))
    return OverlapCrops(crop_size=[params["crop"]] * 2, fill=FILL,
                        stride=params["stride"], min_iou=low, max_iou=high,
                        **options)


def _resized(height, width, long_side):
    """Size of an image after the product's resizing."""
    data = RandomLongSide().apply(
        {"img": np.zeros((height, width, 3), np.uint8)}, long_side)
    return data["img"].shape[:2]


def _normalized(image):
    data = {"img": image, "rng": np.random.default_rng(0)}
    return pipeline.run([normalize(MEAN, STD)], data)["img"]


def _ends(overlap):
    return overlap[:2], overlap[2:]


@handles("cac", "pair_crop_voc", "pair_crop_tight", "pair_crop_city")
def pair_geometry(case):
    crops = _crops(case.params)
    resize = _resize(case.params)
    rows = {name: [] for name in ("resized_hw", "x2y2", "n_draws", "fallback",
                                  "ul1", "br1", "ul2", "br2", "flip")}
    for i, (height, width) in enumerate(case["in_hw"].tolist()):
        long_side = int(case["in_longside"][i])
        assert resize.draw(_Ends(False), height, width) <= long_side <= \
            resize.draw(_Ends(True), height, width)
        size = _resized(height, width, long_side)
        raw = case["in_raw_x2y2"][i]
        raw = raw[raw[:, 0] >= 0]
        rng = _Numbers(*case["in_x1y1"][i], *raw.ravel(),
                       *case["in_u_flip"][i])
        pair = crops.draw(rng, *size)
        assert not rng.values, "it drew less often than the release"
        (one, two), (first, second) = pair.corners, crops.overlaps(
            pair.corners, *size)
        last = tuple(int(v) for v in raw[-1][::-1])
        refused = not crops.allows(one, tuple(
            snap(*ends, crops.stride) for ends in zip(last, one)))
        for name, value in (
            ("resized_hw", size), ("x2y2", two[::-1]), ("n_draws", len(raw)),
            ("fallback", refused), ("flip", pair.mirrored),
            *zip(("ul1", "br1", "ul2", "br2"),
                 (*_ends(first), *_ends(second)))):
            rows[name].append(value)
    for name, values in rows.items():
        case.check(f"out_{name}", np.array(values))


class _Ends:
    """A generator whose integers are always the first or the last allowed."""

    def __init__(self, last):
        self.last = last

    def integers(self, low, high, endpoint):
        assert endpoint
        return high if self.last else low


@handles("cac", "pair_crop_law")
def pair_law(case):
    rng = np.random.default_rng(0)
    found = {name: [] for name in ("mean", "std", "iou_quantiles")}
    for law in case.params["laws"]:
        crops, resize = _crops(law), _resize(law)
        rows = []
        for _ in range(10000):
            size = _resized_size(law["orig_hw"],
                                 resize.draw(rng, *law["orig_hw"]))
            pair = crops.draw(rng, *size)
            (y1, x1), (y2, x2) = pair.corners
            dx, dy = abs(x2 - x1), abs(y2 - y1)
            shared = (law["crop"] - dx) * (law["crop"] - dy)
            top, left, bottom, right = crops.overlaps(pair.corners, *size)[0]
            rows.append([
                shared / (2 * law["crop"]**2 - shared), dx, dy,
                (bottom - top) * (right - left) / law["stride"]**2,
                pair.corners[0] == pair.corners[1]])
        rows = np.array(rows, float)
        found["mean"].append(rows.mean(axis=0))
        found["std"].append(rows.std(axis=0))
        found["iou_quantiles"].append(np.quantile(
            rows[:, 0], [0.05, 0.25, 0.5, 0.75, 0.95]))
    # Both means are of samples: five standard errors of their difference.
    draws = np.array([law["draws"] for law in case.params["laws"]])
    own, expected = np.array(found["mean"]), case["out_mean"]
    share = (own + expected)[:, 4] / 2
    deviation = case["out_std"].copy()
    deviation[:, 4] = np.sqrt(share * (1 - share))
    error = deviation * np.sqrt(1 / draws + 1 / 10000)[:, None]
    assert (np.abs(own - expected) < 5 * error).all()
    case.mark("out_mean")
    found["std"] = np.array(found["std"])
    # The release's table has no deviation of a share.
    found["std"][:, 4] = case["out_std"][:, 4]
    case.check("out_std", found["std"])
    case.check("out_iou_quantiles", np.array(found["iou_quantiles"]))


def _resized_size(size, long_side):
    """`_resized` without an image; ten thousand of them would take long."""
    return [long_side if side == max(size) else
            int(side * long_side / max(size) + 0.5) for side in size]


@handles("cac", "pair_pixels")
def pair_pixels(case):
    crops, resize = _crops(case.params), _resize(case.params)
    t = 0
    while f"in_image{t}" in case.arrays:
        data = resize.apply({"img": case[f"in_image{t}"],
                             "label": case[f"in_label{t}"],
                             "gt_fields": ["label"]},
                            int(case[f"in_longside{t}"]))
        pair = CropPair(
            tuple(tuple(case[f"in_{n}_{t}"][::-1]) for n in ("x1y1", "x2y2")),
            tuple(case[f"in_flip{t}"]))
        size = data["img"].shape[:2]
        views = [_normalized(v) for v in crops.apply(data["img"], pair)]
        case.check(f"out_views{t}", np.stack(views).transpose(0, 3, 1, 2))
        for k, place in zip("12", crops.geometry(pair, *size)):
            upper, lower = _ends(place["overlap"])
            case.check(f"out_ul{k}_{t}", upper)
            case.check(f"out_br{k}_{t}", lower)
        # Ours never opens a mask of an unlabelled image; as a picture it
        # moves in the same way.
        crops.fill = [255] * 3
        views = crops.apply(np.stack([data["label"]] * 3, axis=2), pair)
        crops.fill = FILL
        case.check(f"out_labels{t}", np.stack(views)[..., 0])
        t += 1


@handles("cac", "sup_pixels")
def labeled_pixels(case):
    resize = _resize(case.params, low=0.5)
    crop = PadRandomCrop(crop_size=[case.params["crop"]] * 2, fill=FILL)
    t = 0
    while f"in_image{t}" in case.arrays:
        data = resize.apply({"img": case[f"in_image{t}"],
                             "label": case[f"in_label{t}"],
                             "gt_fields": ["label"]},
                            int(case[f"in_longside{t}"]))
        size = data["img"].shape[:2]
        assert list(crop.draw(_Ends(True), *size)) == \
            case[f"in_range_h_w_{t}"].tolist()
        data = crop.apply(data, *case[f"in_start_h_w_{t}"].tolist())
        # The release mirrors above one half, we below: u stands for 1 - u.
        mirror = RandomMirror()
        data = mirror.apply(data, mirror.draw(
            Scripted(1 - case[f"in_u_flip{t}"])))
        case.check(f"out_image{t}",
                   _normalized(data["img"]).transpose(2, 0, 1))
        case.check(f"out_label{t}", data["label"])
        t += 1


@handles("cac", "photometric")
def photometric(case):
    image = case["in_image"]
    blur = color.RandomBinomialBlur(prob=0.5)
    case.check("out_blur", blur({"img": image, "rng": Scripted(0.49)})["img"])
    case.check("out_blur_u_is_half",
               blur({"img": image, "rng": Scripted(0.5)})["img"])
    amounts = [float(case[f"in_{op.__name__}"]) for op in color.JITTERS]
    for op, amount in zip(color.JITTERS, amounts):
        case.check(f"out_{op.__name__}", op(image, amount))
    jitter = color.ColorJitter(prob=0.8, brightness=0.4, contrast=0.4,
                               saturation=0.4, hue=0.1)
    case.check("out_jitter", jitter({"img": image, "rng": Scripted(
        0.79, case["in_order"], *amounts)})["img"])
    case.check("out_gray", color.RandomGray(prob=0.2)(
        {"img": image, "rng": Scripted(0.19)})["img"])
    case.check("out_normalised", _normalized(image).transpose(2, 0, 1))


@handles("cac", "loader_cycle")
def replayed_batches(case):
    for name, long in (("lab", "labelled"), ("unl", "unlabelled")):
        iters = len(case[f"out_{name}_index"])
        stream = CycledStream(n=int(case[f"in_n_{long}"]), iters=iters,
                              batch=int(case["in_batch"]), seed=0,
                              name="labeled", replay=True)
        stream.order = lambda epoch, turn, n=stream.n: np.arange(n)
        keys = [stream.keys(step) for step in range(iters)]
        case.check(f"out_{name}_index", [[k.index for k in row]
                                         for row in keys])
        # An item is made when its key is new.
        made = {}
        case.check(f"out_{name}_draw", [[
            made.setdefault(k, len(made) + 1) for k in row] for row in keys])

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Weak and strong views: geometry, colours, whole samples and their laws."""

import numpy as np

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.datasets.base import Row, SegDataset, without_file_check
from contrib_semiseg.mixing.boxes import RatioBoxMask
from contrib_semiseg.transforms import color, pipeline
from contrib_semiseg.transforms.color import (
    ColorJitter,
    Jitter,
    RandomGaussianBlur,
    RandomGray,
)
from contrib_semiseg.transforms.geometric import (
    PadRandomCrop,
    RandomLongSide,
    RandomMirror,
)
from contrib_semiseg.transforms.intensity import OPERATIONS, RandomIntensity
from tests.golden.case import handles
from tests.golden.handlers.data import MEAN, STD


class Scripted:
    """A generator that gives these values, whatever kind is asked for."""

    def __init__(self, *values):
        self.values = list(values)

    def random(self):
        return float(self.values.pop(0))

    def permutation(self, n):
        order = list(self.values.pop(0))
        assert sorted(order) == list(range(n))
        return order

    def uniform(self, low, high):
        value = float(self.values.pop(0))
        assert low <= value <= high
        return value


class _Extreme:
    """A generator whose integers are always the first or the last allowed."""

    def __init__(self, last):
        self.last = last

    def integers(self, low, high, endpoint):
        assert endpoint
        return high if self.last else low


def normalize(mean=MEAN, std=STD):
    return manager.TRANSFORMS["Normalize"](mean=mean, std=std)


def _data(image, mask):
    return {"img": image, "label": mask, "gt_fields": ["label"],
            "trans_info": [], "rng": np.random.default_rng(0)}


def _ranges(resize, crop, image, resized):
    """Inclusive ends of the long side, and of the window's x and y."""
    rows = []
    for last in (False, True):
        rng = _Extreme(last)
        top, left = crop.draw(rng, *resized)
        rows.append([resize.draw(rng, *image.shape[:2]), left, top])
    return np.array(rows).T


@handles("unimatch", "weak_pipeline_fixed")
def weak_pipeline(case):
    for j, _ in enumerate(case.params["subs"]):
        size, long_side, x, y, flip = case[f"in_draws_{j}"].tolist()
        # The labels of unlabelled images are padded with another value there.
        resize, crop = RandomLongSide(), PadRandomCrop(crop_size=[size, size])
        data = resize.apply(_data(case["in_img"], case["in_mask"]), long_side)
        case.check(f"out_ranges_{j}", _ranges(
            resize, crop, case["in_img"], data["img"].shape[:2]))
        data = RandomMirror().apply(crop.apply(data, y, x), bool(flip))
        data = pipeline.run([normalize()], data)
        for name in ("l_img", "u_img_w"):
            case.check(f"out_{name}_{j}", data["img"].transpose(2, 0, 1))
        case.check(f"out_l_mask_{j}", data["label"], atol=0, rtol=0)
        case.check(f"out_u_ignore_{j}", np.where(data["valid"], 0, 255),
                   atol=0, rtol=0)


@handles("dssn", "geometric")
def geometric(case):
    for row in case.params["table"]:
        t, size = row["tag"], row["crop"]
        crop = PadRandomCrop(crop_size=[size, size],
                             ignore_index=row["pad_label"])
        data = RandomLongSide().apply(
            _data(case[f"in_{t}_image"], case[f"in_{t}_mask"]),
            row["long_side"])
        case.check(f"out_{t}_resized", data["img"])
        case.check(f"out_{t}_resized_mask", data["label"])
        mirror = RandomMirror()
        data = mirror.apply(crop.apply(data, row["y"], row["x"]),
                            mirror.draw(Scripted(row["flip_coin"])))
        case.check(f"out_{t}_image", data["img"])
        case.check(f"out_{t}_mask", data["label"])
        data = pipeline.run([normalize(case.params["mean"],
                                       case.params["std"])], data)
        case.check(f"out_{t}_normalized", data["img"].transpose(2, 0, 1))


@handles("unimatch", "strong_aug_fixed")
def strong_aug(case):
    for j, v in np.ndindex(case["in_jitter_gate"].shape):
        image = case[f"in_img_{j}"]
        for op, numbers in (
            (ColorJitter(), (case["in_jitter_gate"][j, v],
                             case["in_order"][j, v],
                             *case["in_bcsh_f64"][j, v])),
            (RandomGray(), (case["in_gray_u"][j, v],)),
            (RandomGaussianBlur(), (case["in_blur_gate"][j, v],
                                    case["in_sigma_f64"][j, v])),
        ):
            image = op({"img": image, "rng": Scripted(*numbers)})["img"]
        assert image.dtype == np.uint8
        case.check(f"out_s{v + 1}_{j}", image)


def _jitter(row):
    return Jitter(tuple(row["order"]), tuple(
        row[name] for name in ("brightness", "contrast", "saturation",
                               "hue")))


@handles("dssn", "colour_view")
def colour_view(case):
    p, ranges = case.params, case.params["ranges"]
    jitter = ColorJitter(prob=p["p_jitter"], hue=ranges["hue"][1],
                         **{name: high - 1 for name, (_, high) in
                            ranges.items() if name != "hue"})
    np.testing.assert_allclose(jitter.ranges, [
        ranges[name] for name in ("brightness", "contrast", "saturation",
                                  "hue")])
    gray = RandomGray(prob=p["p_gray"])
    blur = RandomGaussianBlur(prob=p["p_blur"])
    for row in p["table"]:
        j = row["j"]
        image = jitter.apply(case["in_image"], _jitter(row))
        case.check(f"out_jitter_{j}", image)
        case.check(f"out_gray_{j}", gray.apply(image, True))
        case.check(f"out_blur_{j}", blur.apply(image, row["blur_sigma"]))


def _amount(row):
    """Amount of an operation from its recorded draws, None without one."""
    op = OPERATIONS[row["op"]]
    low, high = row.get("range") or (op.low, op.high)
    if "sigma" in row:
        assert low <= row["sigma"] <= high
        return row["sigma"]
    return op.amount and op.amount(row["u"], row.get("coin"), low, high)


@handles("dssn", "strong_ops")
def strong_ops(case):
    op = RandomIntensity(ops=case.params["order"])
    assert set(op.ops) == set(OPERATIONS)
    for row in case.params["table"]:
        case.check(row["key"], op.apply(case["in_image"],
                                        [(row["op"], _amount(row))]))


@handles("dssn", "strong_aug_law")
def strong_aug_law(case):
    n, op = case.params["n"], RandomIntensity(max_ops=case.params["num_aug"])
    rng = np.random.default_rng(0)
    drawn = [[name for name, _ in op.draw(rng)] for _ in range(4 * n)]
    counts = np.bincount([len(names) for names in drawn],
                         minlength=op.max_ops + 1)
    names = [op.ops.index(name) for row in drawn for name in row]
    # The tolerance is made for 10000 calls.
    slack = case.entry["atol"] * max(1.0, np.sqrt(10000 / n))
    for name, value in (
        ("out_count_freq", counts / counts.sum()),
        ("out_op_freq", np.bincount(names, minlength=len(op.ops)) /
         len(names)),
        ("out_repeat_freq", np.mean([len(set(r)) < len(r) for r in drawn])),
    ):
        case.check(name, value, atol=slack, rtol=0)
    assert abs(np.mean(list(map(len, drawn))) -
               case.params["mean_count"]) < 3 * slack


class _OneImage(SegDataset):
    """A dataset of one array."""

    def __init__(self, image, **options):
        self._image = image
        with without_file_check():
            super().__init__(rows=[Row("image", None, "image")], where="-",
                             role="unlabeled", num_classes=2, **options)

    def read(self, index):
        return self._image, None


def _told(op, drawn):
    """The transform, with a draw that was recorded."""
    op.draw = lambda *_: drawn
    return op


def _recorded_views(events):
    """The events after the geometry, cut where a view begins."""
    views = []
    for name, value in events:
        begins = name == "jitter" or (
            name == "gray" and (not views or "gray" in views[-1]))
        if begins:
            views.append({"op": []})
        if name == "op":
            views[-1]["op"].append((value["op"], _amount(value)))
        else:
            views[-1][name] = value
    return views


@handles("dssn", "full_sample_voc", "full_sample_city")
def full_sample(case):
    events, size = case.params["events"], case.params["crop"]
    heads = [name for name, _ in events[:5]]
    assert heads == ["long_side", "resized_wh", "crop_draw", "crop_draw",
                     "flip"]
    (_, long_side), (_, resized), (_, x), (_, y), (_, flip) = events[:5]
    sizes = []

    def see(data):
        sizes.append(list(data["img"].shape[1::-1]))
        return data

    views = {"weak": [normalize()]}
    for k, view in enumerate(_recorded_views(events[5:]), 1):
        jitter = _jitter(view["jitter"]) if "jitter" in view else None
        views[f"strong{k}"] = [
            _told(ColorJitter(), jitter),
            _told(RandomGray(), view["gray"] or None),
            _told(RandomGaussianBlur(), view["blur_sigma"]),
            _told(RandomIntensity(), view["op"]), normalize()]
    dataset = _OneImage(
        case["in_image"], views=views,
        masks={f"mask{k}": RatioBoxMask() for k in (1, 2)},
        transforms=[_told(RandomLongSide(), long_side), see,
                    _told(PadRandomCrop(crop_size=[size, size]), (y, x)),
                    _told(RandomMirror(), flip)])
    item = dataset.item(0, np.random.default_rng(0))
    assert sizes == [resized]
    for name, key in (("img_w", "weak"), ("img_s1", "strong1"),
                      ("img_s2", "strong2")):
        case.check(f"out_{name}", item[key])
    case.check("out_ignore_mask", np.where(item["valid"], 0, 255))
    for k in (1, 2):
        # Their draws are not recorded: they have to be boxes of our law.
        assert item[f"mask{k}"][0].shape == case[f"out_box{k}"].shape
        assert _may_be_drawn(case[f"out_box{k}"])
        case.mark(f"out_box{k}")


def _may_be_drawn(mask):
    """Whether `RatioBoxMask` can give this mask [S, S] of 0 and 1."""
    rows, columns = mask.any(axis=1), mask.any(axis=0)
    tall, wide = int(rows.sum()), int(columns.sum())
    if not tall:
        return not mask.any()
    op, pixels = RatioBoxMask(), mask.size
    edges = sum(int(np.abs(np.diff(np.pad(line.astype(int), 1))).sum())
                for line in (rows, columns))
    return bool(
        edges == 4 and (mask == np.outer(rows, columns)).all() and
        tall * wide <= op.area[1] * pixels and
        (tall + 1) * (wide + 1) > op.area[0] * pixels and
        tall / (wide + 1) < op.ratio[1] and (tall + 1) / wide > op.ratio[0])


def _moments(values):
    values = np.asarray(values, np.float64)
    return np.array([values.mean(), values.std(), values.min(), values.max(),
                     len(values)])


def _drawn_once(rng, long_side):
    """The draws of one unlabelled item with two strong views."""
    found = {"long": [RandomLongSide().draw(rng, long_side, 1)],
             "flip": [RandomMirror().draw(rng)]}
    for _ in range(2):
        jitter = ColorJitter().draw(rng)
        sigma = RandomGaussianBlur().draw(rng)
        for name, value in (
            ("jit", jitter is not None), ("blur", sigma is not None),
            ("gray", RandomGray().draw(rng) is not None),
            ("cut", RatioBoxMask().draw(rng, 64, 64) is not None),
            ("sig", sigma),
            *zip(("b", "c", "s", "hue"), jitter.amounts if jitter else
                 [None] * len(color.JITTERS))):
            if value is not None:
                found.setdefault(name, []).append(value)
    return found


@handles("unimatch", "aug_law")
def aug_law(case):
    # The longest of the resized sides is twice the longer side.
    side = int(case["out_long_f64"][3]) // 2
    rng, found = np.random.default_rng(0), {}
    for _ in range(case.params["n_items"]):
        for name, values in _drawn_once(rng, side).items():
            found.setdefault(name, []).extend(values)
    for name, values in found.items():
        own, theirs = _moments(values), case[f"out_{name}_f64"]
        case.check(f"out_{name}_f64", own)
        error = own[1] * np.sqrt(1 / own[4] + 1 / theirs[4])
        assert abs(own[0] - theirs[0]) < 4 * error, name

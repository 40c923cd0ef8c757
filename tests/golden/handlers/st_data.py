# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""ST: augmentations, mixed lists, palettes, and the defaults of its recipes."""

from pathlib import Path

import numpy as np

from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.datasets.base import Row, SegDataset, without_file_check
from contrib_semiseg.datasets.mixed import MixedDataset
from contrib_semiseg.datasets.palettes import NAMED
from contrib_semiseg.engine.pictures import full_palette
from contrib_semiseg.transforms import color
from contrib_semiseg.transforms.color import (
    ColorJitter,
    Jitter,
    RandomGaussianBlur,
    RandomGray,
)
from contrib_semiseg.transforms.cutout import RandomCutout
from contrib_semiseg.transforms.geometric import (
    PadRandomCrop,
    RandomLongSide,
    RandomMirror,
)
from tests.golden.case import handles
from tests.golden.handlers.views import (
    Scripted,
    _data,
    _Extreme,
    _told,
    normalize,
)

ROOT = Path(__file__).parents[3]
RECIPES = {
    "pascal": "st_deeplabv3plus_resnet50_voc_1_8_321x321.yml",
    "cityscapes": "st_deeplabv3plus_resnet50_cityscapes_1_8_721x721.yml",
}


def recipe(name, **flags):
    """A published configuration of ST."""
    return Config.load(ROOT / "configs" / "st" / name, flags=flags)


def ops_of(section, names):
    """The transforms of these names, of a section of the VOC recipe."""
    config = recipe(RECIPES["pascal"])
    builder = Builder(config)
    found = []
    for i, op in enumerate(config.get(f"{section}.transforms")):
        if op["type"] in names:
            found.append(builder._component(f"{section}.transforms.{i}",
                                            "transforms"))
    assert [type(op).__name__ for op in found] == list(names)
    return found


@handles("st", "default_hparams")
def default_hparams(case):
    for i, dataset in enumerate(case["in_dataset"].tolist()):
        override = case["in_lr_override"][i]
        # A rate of the command line is the head's, ten times the backbone's.
        flags = {} if np.isnan(override) else {
            "learning_rate": float(override) * 10}
        config = recipe(RECIPES[dataset], **flags)
        schedule = Builder(config).schedule(100, int(case["in_batch_size"][i]))
        mult = config.get("optimizer.custom_cfg.0.lr_mult")
        assert config.get("optimizer.custom_cfg.0.name") == "backbone"
        rows = (schedule(0) * mult, config.get("epochs"), *config.get(
            "train_dataset.transforms.1.crop_size")[:1])
        for name, value in zip(("out_lr", "out_epochs", "out_crop"), rows):
            np.testing.assert_allclose(value, case[name][i],
                                       **case.tolerance(name))
    case.mark("out_lr", "out_epochs", "out_crop")


@handles("st", "lr_schedule")
def lr_schedule(case):
    for i, model in enumerate(case["in_model"].tolist()):
        base, epochs, iters = case[f"in_base_epochs_iters_{i}"].tolist()
        name = ("st_deeplabv2_resnet101_voc_1_8_321x321.yml"
                if model == "deeplabv2" else RECIPES["pascal"])
        config = recipe(name)
        rule = (config.get("optimizer.custom_cfg") or [{}])[0]
        mult = rule.get("lr_mult", 1.0)
        config = recipe(name, learning_rate=base / mult)
        schedule = Builder(config).schedule(int(epochs * iters), 7)
        rates = np.array([schedule(int(s)) for s in case[f"in_step_{i}"]])
        case.check(f"out_lr_backbone_{i}", rates * mult)
        case.check(f"out_lr_head_{i}", rates)


def _dataset(count, role):
    rows = [Row(f"{role}{i}", f"{role}{i}.png", f"{role}{i}")
            for i in range(count)]
    with without_file_check():
        return SegDataset(rows=rows, where="-", transforms=[], role=role,
                          num_classes=2)


def mixed(labeled, unlabeled, **options):
    pseudo = _dataset(unlabeled, "unlabeled") if unlabeled else None
    if pseudo:
        pseudo = pseudo.with_masks({f"unlabeled{i}": "mask" for i in
                                    range(unlabeled)})
    return MixedDataset(_dataset(labeled, "labeled"), pseudo, **options)


@handles("st", "semi_ids")
def semi_ids(case):
    for i, (labeled, unlabeled) in enumerate(case["in_sizes"].tolist()):
        found = mixed(labeled, unlabeled)
        places = [found.place(k) for k in range(len(found))]
        case.check(f"out_ids_{i}", np.array(
            [index + part * labeled for part, index in places]))


@handles("st", "resize_size_law")
def resize_size_law(case):
    for row, expected in zip(case["in_w_h_base_long"].tolist(),
                             case["out_w_h_lo_hi"].tolist()):
        width, height, base, long_side = row
        op = RandomLongSide(base_size=base)
        bounds = [op.draw(_Extreme(last), height, width)
                  for last in (False, True)]
        assert [*op.size(long_side, height, width)[::-1], *bounds] == expected
    case.mark("out_w_h_lo_hi")


@handles("st", "basic_aug")
def basic_aug(case):
    i = 0
    while f"in_img_{i}" in case.arrays:
        base, long_side, size, x, y, u = case[f"in_draws_{i}"].tolist()
        crop = PadRandomCrop(crop_size=[int(size)] * 2)
        resize, mirror = RandomLongSide(base_size=int(base)), RandomMirror()
        data = resize.apply(_data(case[f"in_img_{i}"], case[f"in_mask_{i}"]),
                            int(long_side))
        case.check(f"out_resized_img_{i}", data["img"])
        case.check(f"out_resized_mask_{i}", data["label"])
        case.check(f"out_crop_bounds_{i}", np.array(
            crop.draw(_Extreme(True), *data["img"].shape[:2])[::-1]))
        data = crop.apply(data, int(y), int(x))
        case.check(f"out_crop_img_{i}", data["img"])
        case.check(f"out_crop_mask_{i}", data["label"])
        data = normalize()(_floats(mirror.apply(
            data, mirror.draw(Scripted(u)))))
        case.check(f"out_tensor_{i}", data["img"].transpose(2, 0, 1))
        case.check(f"out_label_{i}", data["label"])
        i += 1


def _floats(data):
    data["img"] = data["img"].astype(np.float32)
    return data


@handles("st", "color_ops")
def color_ops(case):
    image = case["in_img"]

    def each(operation, values):
        return np.stack([operation(image, v) for v in values])

    for name in ("brightness", "contrast", "saturation"):
        case.check(f"out_{name}", each(getattr(color, name),
                                       case["in_factors"]))
    case.check("out_hue", each(color.hue, case["in_hue"]))
    case.check("out_gray", color.gray(image))
    case.check("out_blur", each(color.gaussian_blur, case["in_sigma"]))
    op = ops_of("unlabeled_dataset", ["ColorJitter"])[0]
    b, c, s, h = case.params["jitter"]
    assert op.ranges == ((1 - b, 1 + b), (1 - c, 1 + c), (1 - s, 1 + s),
                         (-h, h))
    case.check("out_jitter", np.stack([
        op.apply(image, Jitter(tuple(order), (*bcs, hue)))
        for order, bcs, hue in zip(case["in_order"], case["in_jitter_bcs"],
                                   case["in_jitter_hue"])]))


class _Draws(Scripted):
    """Scripted, with the integers and arrays that cutout asks for."""

    def integers(self, stop):
        value = int(self.values.pop(0))
        assert 0 <= value < stop
        return value

    def uniform(self, low, high, size=None):
        if size is None:
            return super().uniform(low, high)
        noise = self.values.pop(0)
        assert noise.shape == tuple(size) and (low, high) == (0, 255)
        return noise


@handles("st", "cutout")
def cutout(case):
    i = 0
    while f"in_img_{i}" in case.arrays:
        op = RandomCutout(prob=case.params["p"])
        rng = _Draws(0.0, *case[f"in_draws_{i}"].ravel(),
                     case[f"in_noise_{i}"])
        image = case[f"in_img_{i}"]
        box, noise = op.draw(rng, *image.shape[:2])
        assert not rng.values
        case.check(f"out_box_{i}", np.array(box))
        data = op.apply(_data(image, case[f"in_mask_{i}"]), (box, noise))
        case.check(f"out_img_{i}", data["img"])
        case.check(f"out_mask_{i}", data["label"])
        i += 1


class _Counting:
    """A generator that counts the boxes that are tried."""

    def __init__(self, rng):
        self.rng, self.tries = rng, 0

    def __getattr__(self, name):
        return getattr(self.rng, name)

    def integers(self, stop):
        self.tries += 1
        return self.rng.integers(stop)


@handles("st", "cutout_law")
def cutout_law(case):
    height, width = case["in_size"].tolist()
    n, op = int(case["in_n"]), ops_of("unlabeled_dataset",
                                      ["RandomCutout"])[0]
    rng, rows, applied = _Counting(np.random.default_rng(0)), [], []
    for _ in range(n):
        rng.tries = 0
        drawn = op.draw(rng, height, width)
        applied.append(drawn is not None)
        if drawn is None:
            continue
        (x, y, w, h), noise = drawn
        assert noise.shape == (h, w, 3)
        rows.append([w / width, h / height, w * h / (width * height), h / w,
                     x / width, y / height, (x + w / 2) / width,
                     (y + h / 2) / height, rng.tries / 2])
    rows = np.array(rows)
    means = [np.mean(applied), *rows.mean(axis=0)]
    counts = [n, *[len(rows)] * rows.shape[1]]
    theirs = [int(case["in_n"]), *[int(case["out_n_boxes"])] * rows.shape[1]]
    for name, mean, std, expected, own, other in zip(
            case["out_stat_names"], means, case["out_std"], case["out_mean"],
            counts, theirs):
        error = std * np.sqrt(1 / own + 1 / other)
        assert abs(mean - expected) < 5 * error, name
    quantiles = np.quantile(rows[:, 2], [0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(quantiles, case["out_area_quantiles"],
                               atol=0.01)
    case.mark("out_stat_names", "out_mean", "out_std", "out_n_boxes",
              "out_area_quantiles")


@handles("st", "sda_law")
def sda_law(case):
    ops = ops_of("unlabeled_dataset", ["ColorJitter", "RandomGray",
                                       "RandomGaussianBlur", "RandomCutout"])
    # None of them is applied to a labelled image.
    kinds = [op["type"] for op in
             recipe(RECIPES["pascal"]).get("train_dataset.transforms")]
    assert not {type(op).__name__ for op in ops} & set(kinds)
    jitter_op, gray_op, blur_op, cutout_op = ops
    rng, n, found = np.random.default_rng(0), int(case["in_n"]), {}
    for _ in range(n):
        jitter, sigma = jitter_op.draw(rng), blur_op.draw(rng)
        values = dict(p_jitter=jitter is not None,
                      p_gray=gray_op.draw(rng) is not None,
                      p_blur=sigma is not None,
                      p_cutout=cutout_op.draw(rng, 8, 8) is not None)
        if jitter is not None:
            values.update(zip(("brightness", "contrast", "saturation", "hue"),
                              jitter.amounts), first_op_index=jitter.order[0])
        if sigma is not None:
            values["sigma"] = sigma
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    for name, mean, std in zip(case["out_stat_names"].tolist(),
                               case["out_theory_mean"],
                               case["out_theory_std"]):
        own = np.array(found[name], np.float64)
        assert abs(own.mean() - mean) < 5 * std / np.sqrt(len(own)), name
        if not name.startswith("p_"):
            assert abs(own.std() - std) < 0.05 * std + 1e-9, name
    case.mark(*(k for k in case.arrays if k.startswith("out_")))


class _OnePicture(SegDataset):
    """A dataset of one array with one mask."""

    def __init__(self, image, mask, role, transforms):
        self._arrays = image, mask
        with without_file_check():
            super().__init__(rows=[Row("image", "mask", "image")], where="-",
                             role=role, num_classes=21, transforms=transforms)

    def read(self, index):
        image, mask = self._arrays
        return image, None if self.rows[index].mask is None else mask


@handles("st", "getitem_semi")
def getitem_semi(case):
    size, base = int(case["in_size"]), case.params["base_size"]
    order = case["out_draw_order"].tolist()
    # Ours come in the same order: sizes, mirror, colours, blur, cutout.
    assert order[:4] == ["randint"] * 3 + ["random"]
    u_flip, *u = case["in_u_flip_jitter_blur_cutout"].tolist()

    def chain(long_side, x, y, flip):
        mirror = RandomMirror()
        return [_told(RandomLongSide(base_size=base), int(long_side)),
                _told(PadRandomCrop(crop_size=[size, size]),
                      (int(y), int(x))),
                _told(mirror, mirror.draw(Scripted(flip)))]

    def drawn(op, *values):
        """The transform, with what it draws from these numbers."""
        shape = (size, size) if isinstance(op, RandomCutout) else ()
        return _told(op, op.draw(_Draws(*values), *shape))

    strong = [
        drawn(ColorJitter(), u[0], case["in_jitter_order"],
              *case["in_jitter_b_c_s_h"]),
        drawn(RandomGray(), case["in_u_gray"]),
        drawn(RandomGaussianBlur(), u[1], case["in_sigma"]),
        drawn(RandomCutout(), u[2], *case["in_cut_frac_ratio_x_y"],
              case["in_noise"])]
    unlabeled = _OnePicture(
        case["in_img"], case["in_pseudo"], "unlabeled",
        [*chain(*case["in_long_x_y"], u_flip), *strong, normalize()])
    assert unlabeled.rows[0].mask is None  # its own is never read
    labeled = _OnePicture(
        case["in_img"], case["in_gt"], "labeled",
        [*chain(*case["in_lab_long_x_y"], case["in_lab_u_flip"]),
         normalize()])
    both = MixedDataset(labeled, unlabeled.with_masks({"image": "mask"}))
    rng = np.random.default_rng(0)
    for index, name in ((0, "lab"), (1, "unlab")):
        item = both.item(index, rng)
        case.check(f"out_tensor_{name}", item["img"])
        case.check(f"out_label_{name}", item["label"], atol=0, rtol=0)
    case.mark("out_draw_order")


@handles("st", "color_maps")
def color_maps(case):
    black = (0, 0, 0)
    case.check("out_pascal", full_palette(256, None, rest=black))
    case.check("out_cityscapes", full_palette(
        256, NAMED["cityscapes"], rest=black))
    np.testing.assert_array_equal(NAMED["voc"], case["out_pascal"][:21])

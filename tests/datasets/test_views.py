# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Views of one image: the same geometry, draws of their own."""

import numpy as np
import pytest

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.datasets.base import SegDataset
from contrib_semiseg.datasets.camvid import CamVid
from contrib_semiseg.datasets.list_dataset import Dataset, ListDataset
from contrib_semiseg.datasets.loader import TrainLoader
from contrib_semiseg.datasets.sampling import training_streams
from contrib_semiseg.datasets.shape_scenes import ShapeScenes
from contrib_semiseg.mixing.boxes import RatioBoxMask
from contrib_semiseg.transforms.color import ColorJitter, RandomGray
from contrib_semiseg.transforms.geometric import (
    PadRandomCrop,
    RandomLongSide,
    RandomMirror,
)
from tests.datasets.files import write_files
from tests.datasets.test_list_dataset import make
from tests.datasets.test_loader import arrays, assert_equal

NORMALIZE = manager.TRANSFORMS["Normalize"](mean=[0.5] * 3, std=[0.5] * 3)
GEOMETRY = [RandomLongSide(), PadRandomCrop(crop_size=[14, 12]),
            RandomMirror()]
STRONG = [ColorJitter(prob=1.0), RandomGray(), NORMALIZE]
VIEWS = {"weak": [NORMALIZE], "strong1": STRONG, "strong2": STRONG}


@pytest.fixture()
def root(tmp_path):
    return write_files(tmp_path / "data", count=6)


def dataset(root, role="unlabeled", **changes):
    options = dict(transforms=GEOMETRY, views=VIEWS, masks={
        f"mask{k}": RatioBoxMask(prob=1.0) for k in (1, 2)})
    return make(root, role=role, **{**options, **changes})


def item(root, seed=0, wanted=None, masks=True, **changes):
    return dataset(root, **changes).item(0, np.random.default_rng(seed),
                                         masks=masks, views=wanted)


def test_views_take_the_place_of_the_image(root):
    kinds = {k: (v.shape, str(v.dtype)) for k, v in item(root).items()}
    image, mask = ((3, 12, 14), "float32"), ((1, 12, 14), "uint8")
    assert kinds == {"weak": image, "strong1": image, "strong2": image,
                     "valid": ((12, 14), "bool"), "mask1": mask,
                     "mask2": mask}
    assert set(item(root, views=None)) == {"img", "valid", "mask1", "mask2"}


def test_views_share_geometry_but_no_draws(root):
    found = item(root, transforms=GEOMETRY[1:])
    outside = ~found["valid"]
    assert outside.sum() == 14 * 12 - 12 * 10
    assert (found["weak"][:, outside] == -1).all()
    assert (found["strong1"] != found["strong2"]).any()
    # Without colours the same views are the weak one.
    plain = item(root, transforms=GEOMETRY[1:],
                 views={name: [NORMALIZE] for name in VIEWS})
    for name in VIEWS:
        np.testing.assert_array_equal(plain[name], found["weak"])
    assert (found["mask1"] != found["mask2"]).any()


def test_leaving_views_out_changes_nothing_else(root):
    whole = item(root, seed=2)
    for wanted in ((), ("strong2",), ("weak", "strong1")):
        part = item(root, seed=2, wanted=wanted)
        assert set(part) == {*wanted, "valid", "mask1", "mask2"}
        for key in part:
            np.testing.assert_array_equal(part[key], whole[key])
    fewer = {"strong2": STRONG}
    np.testing.assert_array_equal(item(root, seed=2, views=fewer)["strong2"],
                                  whole["strong2"])


def test_a_view_never_sees_what_another_one_did(root):
    class Black:
        def __call__(self, data):
            data["img"][...] = 0
            return data

    views = {"black": [Black(), NORMALIZE], "weak": [NORMALIZE]}
    np.testing.assert_array_equal(item(root, views=views)["weak"],
                                  item(root)["weak"])


def test_views_depend_on_the_generator_alone(root):
    first, again, other = (item(root, seed=s) for s in (0, 0, 3))
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert (first["strong1"] != other["strong1"]).any()


def test_without_views_items_draw_as_before(root):
    plain = item(root, views=None, masks=False)
    rng = np.random.default_rng(0)
    dataset(root, views=None).item(0, rng, masks=False)
    expected = np.random.default_rng(0)
    for op, size in ((GEOMETRY[0], (10, 12)), (GEOMETRY[1], None),
                     (GEOMETRY[2], None)):
        if size:
            long_side = op.draw(expected, *size)
            short = int(10 * long_side / 12 + 0.5)
        elif op is GEOMETRY[1]:
            op.draw(expected, short, long_side)
        else:
            op.draw(expected)
    assert rng.random() == expected.random()
    assert plain["img"].max() > 1, "nothing normalised it"


@pytest.mark.parametrize("changes, kind, message", [
    (dict(role="labeled"), ArgumentError, "only unlabeled_dataset has views"),
    (dict(views={"mask1": STRONG, "weak": []}), ArgumentError,
     "names other than mask1"),
    (dict(views={"valid": []}), ArgumentError, "names other than valid"),
    (dict(transforms=[NORMALIZE, *GEOMETRY]), ConfigError,
     "unlabeled_dataset.transforms: RandomLongSide stands after Normalize"),
    (dict(views={"strong": [NORMALIZE, ColorJitter()]}), ConfigError,
     "unlabeled_dataset.views.strong: ColorJitter stands after Normalize"),
    (dict(transforms=[NORMALIZE]), ConfigError,
     "unlabeled_dataset.views.strong1: ColorJitter stands after Normalize"),
    (dict(views={"weak": [], "strong": STRONG}), ConfigError,
     "unlabeled_dataset.views.weak lacks Normalize, which other views have"),
])
def test_views_that_cannot_work(root, changes, kind, message):
    with pytest.raises(kind, match=message) as caught:
        dataset(root, **changes)
    assert "\n" not in str(caught.value)


def test_a_view_must_not_move_pixels(root):
    views = {"weak": [PadRandomCrop(crop_size=[6, 8])]}
    with pytest.raises(ConfigError, match=r"views.weak makes 6 x 8 \(w x h\) "
                       "of 14 x 12; .*unlabeled_dataset.transforms"):
        item(root, views=views)


OPTIONS = dict(views={"weak": []}, masks={"mask": RatioBoxMask()}, crops=3,
               same_image_mix=True, joint_order=True, list_resampling=True)


@pytest.mark.parametrize("kind, options", [
    (ListDataset, dict(list_file="list.txt", num_classes=3)),
    (Dataset, dict(train_path="list.txt", num_classes=3)),
    (ShapeScenes, dict(size=[16, 16], unlabeled=1)),
    (CamVid, dict()),
])
def test_every_dataset_hands_its_options_on(root, kind, options, monkeypatch):
    seen = {}
    monkeypatch.setattr(SegDataset, "__init__",
                        lambda self, **given: seen.update(given))
    (root / "train.txt").write_text("0\n")
    where = "cache_dir" if kind is ShapeScenes else "dataset_root"
    kind(role="unlabeled", **{where: str(root)}, **options, **OPTIONS)
    assert {name: seen[name] for name in OPTIONS} == OPTIONS


def test_options_for_the_engine_are_kept(root):
    plain, other = dataset(root), dataset(root, same_image_mix=True,
                                          joint_order=True)
    assert (plain.same_image_mix, plain.joint_order) == (False, False)
    assert (other.same_image_mix, other.joint_order) == (True, True)
    assert not other.list_resampling
    assert dataset(root, list_resampling=True).list_resampling
    with pytest.raises(ArgumentError, match="list_resampling"):
        dataset(root, list_resampling=True, joint_order=True)


def loader(root, num_workers=0, requires=None):
    ops = [*GEOMETRY, NORMALIZE]
    unlabeled = dataset(root)
    return TrainLoader(
        datasets={"labeled": make(root, transforms=ops),
                  "unlabeled": unlabeled, "source": unlabeled},
        streams=training_streams(labeled=6, unlabeled=6, batch=2, seed=0,
                                 source=True, same_image_mix=True,
                                 joint_order=True),
        seed=0, start_step=0, total_steps=4, num_workers=num_workers,
        requires=requires)


REQUIRES = ("labeled.img", "labeled.label", "unlabeled.weak",
            "unlabeled.strong1", "unlabeled.mask1", "source.weak",
            "source.valid")


def test_batches_hold_the_views_that_are_required(root):
    whole, part = arrays(loader(root)), arrays(loader(root,
                                                      requires=REQUIRES))
    masks = {("unlabeled", "mask1"), ("unlabeled", "mask2")}
    others = masks | {("labeled", "img"), ("labeled", "label"), *(
        (s, "valid") for s in ("labeled", "unlabeled", "source"))}
    assert set(whole[0]) == others | {(s, v) for v in VIEWS for s in
                                      ("unlabeled", "source")}
    assert set(part[0]) == others | {
        ("unlabeled", "weak"), ("unlabeled", "strong1"), ("source", "weak")}
    for one, other in zip(part, whole):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    # The source shows the same images, drawn anew.
    for batch in whole[1:]:
        assert (batch["unlabeled", "weak"] != batch["source", "weak"]).any()


@pytest.mark.parametrize("num_workers", [1, 3])
def test_views_are_the_same_for_any_number_of_workers(root, num_workers):
    here = arrays(loader(root, requires=REQUIRES))
    assert len(here) == 4
    assert_equal(here, arrays(loader(root, num_workers, REQUIRES)))

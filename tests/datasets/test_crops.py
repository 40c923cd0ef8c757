# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Views that are crops of their own, and what items say of them."""

import numpy as np
import pytest

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.datasets.loader import TrainLoader
from contrib_semiseg.datasets.sampling import training_streams
from contrib_semiseg.mixing.boxes import RatioBoxMask
from contrib_semiseg.transforms.color import ColorJitter
from contrib_semiseg.transforms.crops import OverlapCrops
from contrib_semiseg.transforms.geometric import (
    PadRandomCrop,
    RandomLongSide,
    RandomMirror,
)
from tests.datasets.files import write_files
from tests.datasets.test_list_dataset import make
from tests.datasets.test_loader import arrays, assert_equal

NORMALIZE = manager.TRANSFORMS["Normalize"](mean=[0.5] * 3, std=[0.5] * 3)
CROPS = OverlapCrops(crop_size=[8, 4], stride=2, fill=[255] * 3)
VIEWS = {"one": [ColorJitter(), NORMALIZE], "two": [ColorJitter(), NORMALIZE]}
PLAIN = {"one": [NORMALIZE], "two": [NORMALIZE]}
KEYS = {f"{view}{key}" for view in VIEWS
        for key in ("", "_overlap", "_mirrored")}


@pytest.fixture()
def root(tmp_path):
    return write_files(tmp_path / "data", count=6)


def dataset(root, role="unlabeled", **changes):
    options = dict(transforms=[RandomLongSide()], views=VIEWS, crops=CROPS)
    return make(root, role=role, **{**options, **changes})


def item(root, seed=0, wanted=None, **changes):
    return dataset(root, **changes).item(0, np.random.default_rng(seed),
                                         views=wanted)


def test_items_hold_both_views_and_their_places(root):
    found = item(root, masks={"mask": RatioBoxMask()})
    kinds = {k: (v.shape, str(v.dtype)) for k, v in found.items()}
    assert kinds == {
        **{view: ((3, 4, 8), "float32") for view in VIEWS},
        **{f"{view}_overlap": ((4,), "int64") for view in VIEWS},
        **{f"{view}_mirrored": ((), "bool") for view in VIEWS},
        "mask": ((1, 4, 8), "uint8")}


def shared(found, name):
    """The overlap as a view shows it, not mirrored."""
    view = found[name][..., ::-1] if found[f"{name}_mirrored"] else \
        found[name]
    top, left, bottom, right = found[f"{name}_overlap"]
    return view[:, top:bottom, left:right]


@pytest.mark.parametrize("views", [PLAIN, dict(reversed(PLAIN.items()))])
def test_each_place_is_that_of_the_view_whose_name_it_bears(root, views):
    moved = 0
    for seed in range(20):
        found = item(root, seed, views=views)
        np.testing.assert_array_equal(shared(found, "one"),
                                      shared(found, "two"))
        moved += (found["one"] != found["two"]).any()
    assert moved > 10


def test_colours_are_drawn_apart(root):
    differ = [(shared(f, "one") != shared(f, "two")).any()
              for f in (item(root, seed) for seed in range(8))]
    assert sum(differ) > 4


def test_a_view_that_is_left_out_changes_nothing_else(root):
    whole, part = item(root), item(root, wanted=("two", "two_overlap"))
    assert set(part) == KEYS - {"one"} and set(whole) == KEYS
    for key in part:
        np.testing.assert_array_equal(part[key], whole[key])


@pytest.mark.parametrize("changes, kind, message", [
    (dict(views={"one": []}), ArgumentError, r"views = \['one'\] .*allowed: "
     "2 views, as there are crops"),
    (dict(views=None), ArgumentError, "views = None .*allowed: 2 views"),
    (dict(role="labeled", views=None), ArgumentError, "crops = "
     "'OverlapCrops' .*only unlabeled_dataset has crops"),
    (dict(transforms=[NORMALIZE], views={"one": [], "two": []}), ConfigError,
     "unlabeled_dataset.crops: Normalize stands before .*: in the views"),
    (dict(transforms=[PadRandomCrop(crop_size=[9, 9])]), ConfigError,
     "unlabeled_dataset.crops: PadRandomCrop stands before the crops.*that "
     "do not pad"),
    (dict(views={"one": [RandomMirror(), NORMALIZE], "two": [NORMALIZE]}),
     ConfigError, "unlabeled_dataset.views.one: RandomMirror moves what"),
])
def test_what_cannot_work_with_crops(root, changes, kind, message):
    with pytest.raises(kind, match=message) as caught:
        dataset(root, **changes)
    assert "\n" not in str(caught.value)


def loader(root, num_workers=0):
    return TrainLoader(
        datasets={"labeled": make(root, transforms=[
            PadRandomCrop(crop_size=[8, 8]), NORMALIZE]),
            "unlabeled": dataset(root)},
        streams=training_streams(labeled=6, unlabeled=6, batch=2, seed=0),
        seed=0, start_step=0, total_steps=3, num_workers=num_workers,
        requires=["labeled.img", *(f"unlabeled.{k}" for k in KEYS)])


def test_batches_are_the_same_with_workers(root):
    here = arrays(loader(root))
    assert {k for s, k in here[0] if s == "unlabeled"} == KEYS
    assert here[0]["unlabeled", "one_overlap"].shape == (2, 4)
    assert here[0]["unlabeled", "one_mirrored"].shape == (2,)
    assert here[0]["unlabeled", "one_mirrored"].dtype == bool
    assert_equal(here, arrays(loader(root, 2)))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import os

import cv2
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets.scene_painter import CLASS_NAMES, HUE
from contrib_semiseg.datasets.shape_scenes import ShapeScenes, home, scene


def make(tmp_path, role="labeled", **changes):
    args = dict(labeled=3, unlabeled=4, val=2, size=[48, 48],
                cache_dir=str(tmp_path / "cache"))
    return ShapeScenes(role=role, **{**args, **changes})


def test_scenes_are_pinned_by_their_seed():
    image, label = scene(0, "train", 5, 96)
    assert image.shape == (96, 96, 3) and label.shape == (96, 96)
    again = scene(0, "train", 5, 96)
    np.testing.assert_array_equal(image, again[0])
    np.testing.assert_array_equal(label, again[1])
    for other in ((1, "train", 5), (0, "val", 5), (0, "train", 6)):
        assert (scene(*other, 96)[0] != image).any()


def test_every_class_appears_and_some_are_rare():
    counts = sum(np.bincount(scene(0, "train", i, 96)[1].ravel(), minlength=8)
                 for i in range(40))
    shares = counts / counts.sum()
    assert len(shares) == 8 and shares.min() > 0.001
    assert shares[1:].max() > 5 * shares.min()


def test_hue_is_a_clue_to_the_class_but_no_proof():
    right, plain = [], []
    for i in range(60):
        image, label = scene(0, "train", i, 48)
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(int)
        plain.append(hsv[..., 1][label == 0])
        centres = np.array([HUE[name] for name in CLASS_NAMES[1:]])
        away = np.abs(hsv[..., :1] - centres + 90) % 180 - 90
        nearest = centres[np.abs(away).argmin(axis=-1)]
        own = centres[np.maximum(label, 1) - 1]
        right.append((nearest == own)[label > 0])
    # Six hues for seven classes: 0.17 would be chance.
    assert 0.4 < np.concatenate(right).mean() < 0.8
    assert np.concatenate(plain).mean() < 100, "backgrounds are duller"


def test_roles_share_no_scene_and_ignore_each_others_number(tmp_path):
    names = {role: [ds.image_path(i) for i in range(len(ds))]
             for role in ("labeled", "unlabeled", "val")
             for ds in [make(tmp_path, role)]}
    assert [len(v) for v in names.values()] == [3, 4, 2]
    assert len(set(sum(names.values(), []))) == 9
    more = make(tmp_path, labeled=7)
    assert [more.image_path(i) for i in range(7)] == (
        names["labeled"] + names["unlabeled"])


def test_files_are_kept_and_a_lost_one_is_made_again(tmp_path):
    ds = make(tmp_path)
    before = os.stat(ds.image_path(0)).st_mtime_ns
    image, mask = ds.read(1)
    os.unlink(ds.rows[1].mask)  # as after a kill between the two files
    ds = make(tmp_path)
    assert os.stat(ds.image_path(0)).st_mtime_ns == before
    np.testing.assert_array_equal(ds.read(1)[0], image)
    np.testing.assert_array_equal(ds.read(1)[1], mask)
    np.testing.assert_array_equal(mask, scene(0, "train", 1, 48)[1])
    left = [f for _, _, files in os.walk(tmp_path) for f in files]
    assert not [f for f in left if not f.endswith(".png")]


def test_home_is_the_environments(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMISEG_HOME", str(tmp_path))
    assert home() == tmp_path
    ds = make(tmp_path, cache_dir=None)
    assert ds.image_path(0).startswith(str(tmp_path / "shape_scenes_v"))


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="cache.*set the environment"):
        make(tmp_path)


def test_no_unlabeled_scenes_and_a_wrong_size(tmp_path):
    with pytest.raises(DataError, match="unlabeled = 0: 0 images"):
        make(tmp_path, "unlabeled", unlabeled=0)
    with pytest.raises(ArgumentError, match="two equal numbers"):
        make(tmp_path, size=[48, 64])

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import random

import numpy as np
import pytest

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.transforms import geometric, pipeline


def sample(seed=0, side=20):
    rng = np.random.default_rng(5)
    return dict(img=rng.integers(0, 255, (side, side, 3), dtype=np.uint8),
                label=rng.integers(0, 4, (side, side), dtype=np.uint8),
                gt_fields=["label"], trans_info=[],
                rng=np.random.default_rng(seed))


def distort():
    return manager.TRANSFORMS["RandomDistort"](
        brightness_range=0.5, brightness_prob=1.0)


def test_paddleseg_draws_follow_the_item_and_leave_the_globals_alone():
    results = []
    for global_seed in (1, 2):
        random.seed(global_seed)
        np.random.seed(global_seed)
        results.append(pipeline.run([distort()], sample())["img"])
        after = random.random(), np.random.rand()
        random.seed(global_seed)
        np.random.seed(global_seed)
        assert after == (random.random(), np.random.rand())
    np.testing.assert_array_equal(*results)
    other = pipeline.run([distort()], sample(seed=1))["img"]
    assert not np.array_equal(other, results[0])


def test_image_stays_uint8_until_a_transform_of_paddleseg():
    seen = []

    class Spy:
        def __call__(self, data):
            seen.append(data["img"].dtype)
            return data

    normalize = manager.TRANSFORMS["Normalize"]()
    pipeline.run([Spy(), geometric.RandomScale(factors=[0.5]), Spy(),
                  normalize, Spy()], sample())
    assert seen == [np.uint8, np.uint8, np.float32]


def test_eight_bit_transforms_get_rounded_images():
    class Eight:
        eight_bit = True

        def __call__(self, data):
            seen.append(data["img"])
            return data

    seen = []
    data = sample()
    data["img"] = np.full((2, 2, 3), 6.6, np.float32)
    data["img"][0] = -3.0
    data["img"][1, 1] = 255.7
    pipeline.run([Eight()], data)
    assert seen[0].dtype == np.uint8
    np.testing.assert_array_equal(seen[0][..., 0], [[0, 0], [7, 255]])


def test_eight_bit_transforms_come_before_normalize():
    normalize, resize = manager.TRANSFORMS["Normalize"](), \
        geometric.RandomLongSide()
    pipeline.check_order([resize, normalize, geometric.RandomMirror()], "x")
    with pytest.raises(ConfigError, match="^a.transforms: RandomLongSide "
                       "stands after Normalize"):
        pipeline.check_order([normalize, resize], "a.transforms")

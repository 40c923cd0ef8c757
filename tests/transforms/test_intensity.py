# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.intensity import (
    OPERATIONS,
    RandomIntensity,
    either_sign,
    posterize,
    solarize,
)
from tests.transforms.test_pipeline import sample


def drawn(n=6000, **options):
    op, rng = RandomIntensity(**options), np.random.default_rng(0)
    return [op.draw(rng) for _ in range(n)]


def test_amounts_are_those_of_the_card():
    found = {}
    for row in drawn():
        for name, amount in row:
            found.setdefault(name, []).append(amount)
    assert set(found) == set(OPERATIONS) and len(OPERATIONS) == 11
    for name in ("identity", "autocontrast", "equalize"):
        assert set(found[name]) == {None}
    assert set(found["posterize"]) == {4, 5, 6, 7}
    assert min(found["solarize"]) >= 1 and max(found["solarize"]) <= 255
    assert min(found["solarize"]) < 5 and max(found["solarize"]) > 251
    for name, low, high in (("contrast", 0.05, 0.95), ("color", 0.05, 0.95),
                            ("brightness", 0.05, 0.95), ("hue", -0.5, 0.5),
                            ("sharpness", 0.05, 0.95), ("blur", 0.1, 2.0)):
        values = np.array(found[name])
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high
    assert abs(np.mean(np.array(found["hue"]) < 0) - 0.5) < 0.08


def test_law_of_number_and_choice():
    rows = drawn(max_ops=4, ops=["identity", "hue", "solarize"])
    counts = np.bincount([len(row) for row in rows]) / len(rows)
    np.testing.assert_allclose(counts, [0, 0.25, 0.25, 0.25, 0.25], atol=0.03)
    pairs = [tuple(name for name, _ in row) for row in rows if len(row) == 2]
    assert len(set(pairs)) == 9, "repeats are allowed"


def test_extremes_of_the_draws_by_hand():
    op = OPERATIONS["posterize"]
    assert [op.amount(u, 0, 4, 8) for u in (0.0, 0.25, 0.26, 0.999)] == [
        7, 7, 6, 4]
    op = OPERATIONS["solarize"]
    assert [op.amount(u, 0, 1, 256) for u in (0.0, 0.999)] == [255, 1]
    assert OPERATIONS["contrast"].amount(0.0, 0, 0.05, 0.95) == 0.95
    assert either_sign(0.5, 0.49, 0.0, 0.5) == -0.25
    assert either_sign(0.5, 0.5, 0.0, 0.5) == 0.25


def test_operations_by_hand():
    image = np.full((1, 1, 3), (7, 100, 200), np.uint8)
    assert posterize(image, 4).tolist() == [[[0, 96, 192]]]
    assert solarize(image, 100).tolist() == [[[7, 155, 55]]]


def test_operations_act_one_after_the_other():
    image, op = sample()["img"], RandomIntensity()
    once = op.apply(image, [("posterize", 5), ("hue", 0.2)])
    turned = op.apply(image, [("hue", 0.2), ("posterize", 5)])
    np.testing.assert_array_equal(
        once, op.apply(posterize(image, 5), [("hue", 0.2)]))
    assert (once != turned).any() and once.dtype == np.uint8


def test_every_operation_takes_its_drawn_amount():
    image, rng = sample()["img"], np.random.default_rng(0)
    for name in OPERATIONS:
        op = RandomIntensity(max_ops=1, ops=[name])
        out = op({"img": image, "rng": rng})["img"]
        assert out.shape == image.shape and out.dtype == np.uint8
        assert (out != image).any() == (name != "identity"), name


@pytest.mark.parametrize("options", [
    dict(ops=[]), dict(ops=["invert"]), dict(max_ops=0)])
def test_refused(options):
    with pytest.raises(ArgumentError):
        RandomIntensity(**options)

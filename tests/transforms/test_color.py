# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import collections

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms import color
from contrib_semiseg.transforms.color import (
    ColorJitter,
    Jitter,
    RandomGaussianBlur,
    RandomGray,
)
from tests.transforms.test_pipeline import sample

RED = np.full((2, 3, 3), (255, 0, 0), np.uint8)


@pytest.fixture
def image():
    return sample()["img"]


@pytest.mark.parametrize("op", [color.brightness, color.contrast,
                                color.saturation, color.sharpness])
def test_a_factor_of_one_changes_nothing(image, op):
    before = image.copy()
    np.testing.assert_array_equal(op(image, 1.0), before)
    assert op(image, 0.3).dtype == np.uint8
    assert (op(image, 0.3) != before).any()
    np.testing.assert_array_equal(image, before)  # not in place


def test_a_factor_of_zero_by_hand(image):
    assert not color.brightness(image, 0.0).any()
    np.testing.assert_array_equal(color.saturation(image, 0.0),
                                  color.gray(image))
    mean = int(color.gray(image)[..., 0].mean() + 0.5)
    assert (color.contrast(image, 0.0) == mean).all()
    # 0.299, 0.587 and 0.114 of the channels.
    assert (color.gray(RED) == 76).all()


@pytest.mark.parametrize("steps, turned", [
    (85.5, (0, 255, 0)), (-85.5, (6, 0, 255)), (-84.5, (12, 0, 255)),
    (0.9, (255, 0, 0)), (-0.9, (255, 0, 0))])
def test_hue_turns_by_whole_steps_towards_zero(steps, turned):
    # Six steps of a channel for each of the 8-bit hue, modulo 256.
    assert tuple(color.hue(RED, steps / 255)[0, 0]) == turned


def test_blur_keeps_the_mean_and_spreads():
    dot = np.zeros((21, 21, 3), np.uint8)
    dot[10, 10] = 255
    blurred = color.gaussian_blur(dot, 2.0)[..., 0]
    assert blurred.max() < 30 and (blurred > 0).sum() > 20
    assert color.gaussian_blur(dot, 0.1)[10, 10, 0] > 200


def test_jitter_applies_in_the_drawn_order(image):
    op, amounts = ColorJitter(), (0.6, 1.4, 0.7, 0.2)
    expected = image
    for i in (3, 1, 0, 2):
        expected = color.JITTERS[i](expected, amounts[i])
    np.testing.assert_array_equal(
        op.apply(image, Jitter((3, 1, 0, 2), amounts)), expected)
    assert (op.apply(image, Jitter((0, 1, 2, 3), amounts)) != expected).any()


def test_law_of_the_jitter():
    op, rng = ColorJitter(prob=0.7, brightness=1.5, hue=0.1), \
        np.random.default_rng(0)
    drawn = [d for d in (op.draw(rng) for _ in range(4000)) if d]
    assert abs(len(drawn) / 4000 - 0.7) < 0.03
    orders = collections.Counter(d.order for d in drawn)
    assert len(orders) == 24 and min(orders.values()) > 70
    amounts = np.array([d.amounts for d in drawn])
    for values, (low, high) in zip(amounts.T, ((0.0, 2.5), (0.5, 1.5),
                                               (0.5, 1.5), (-0.1, 0.1))):
        assert low <= values.min() and values.max() <= high
        assert np.isclose(values.mean(), (low + high) / 2,
                          atol=0.05 * (high - low))
        assert np.ptp(values) > 0.98 * (high - low)


def test_a_strength_of_zero_leaves_the_operation_out(image):
    op = ColorJitter(prob=1.0, brightness=0, contrast=0, saturation=0, hue=0)
    drawn = op.draw(np.random.default_rng(0))
    assert drawn.amounts == (None,) * 4
    # Turning the hue by nothing would still round through HSV.
    np.testing.assert_array_equal(op.apply(image, drawn), image)


@pytest.mark.parametrize("make", [ColorJitter, RandomGray,
                                  RandomGaussianBlur])
def test_how_often_and_that_draws_follow_the_generator(make):
    def changed(prob, seed):
        data = sample(seed)
        before = data["img"]
        return make(prob=prob)(data)["img"], before

    assert all((a == b).all() for a, b in [changed(0.0, s)
                                           for s in range(20)])
    hits = [(a != b).any() for a, b in [changed(0.3, s) for s in range(300)]]
    assert 0.2 < np.mean(hits) < 0.4
    np.testing.assert_array_equal(changed(1.0, 3)[0], changed(1.0, 3)[0])


def test_published_defaults():
    assert (ColorJitter().prob, RandomGray().prob,
            RandomGaussianBlur().prob) == (0.8, 0.2, 0.5)
    assert ColorJitter().ranges == ((0.5, 1.5),) * 3 + ((-0.25, 0.25),)
    assert RandomGaussianBlur().limits == (0.1, 2.0)


@pytest.mark.parametrize("make, name", [
    (lambda: RandomGaussianBlur(min_sigma=3.0), "min_sigma"),
    (lambda: ColorJitter(hue=0.6), "hue"),
    (lambda: ColorJitter(brightness=-0.1), "brightness"),
    (lambda: RandomGray(prob=1.1), "prob")])
def test_values_out_of_range(make, name):
    with pytest.raises(ArgumentError, match=name):
        make()

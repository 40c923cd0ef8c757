# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.datasets import splitting


def skewed(images=400, seed=0):
    """bool [images, 5]: shares 1, 0.5, 0.1, 0.02, and never."""
    draws = np.random.default_rng(seed).random((images, 5))
    return draws < np.array([1.0, 0.5, 0.1, 0.02, 0.0])


def test_an_order_holds_each_image_once():
    order = splitting.balanced(skewed(), 3)
    assert sorted(order) == list(range(400)) and order.dtype == np.int64
    np.testing.assert_array_equal(order, splitting.balanced(skewed(), 3))
    assert (order != splitting.balanced(skewed(), 4)).any()


@pytest.mark.parametrize("seed", range(5))
def test_all_classes_come_first_and_then_by_their_shares(seed):
    present = skewed(seed=seed)
    order = splitting.balanced(present, seed)
    counts = present.sum(axis=0)
    assert present[order[:4], :4].any(axis=0).all()
    assert present[order[0], 3], "the rarest class leads"
    for size in (40, 80, 160, 320):
        found = present[order[:size]].sum(axis=0)
        assert (found >= counts * size / 400 - 2.01).all()
        assert (found <= counts * size / 400 * 1.4 + 2).all()


def test_draws_differ_though_the_shares_do_not():
    present = skewed()
    firsts = {tuple(sorted(splitting.balanced(present, s)[:50]))
              for s in range(20)}
    assert len(firsts) == 20
    rare = np.flatnonzero(present[:, 3])
    assert len({splitting.balanced(present, s)[0] for s in range(60)}) == len(
        rare), "any image of a class may stand for it"


def test_images_without_any_class_come_too():
    present = np.zeros((6, 2), bool)
    present[4, 1] = True
    order = splitting.balanced(present, 0)
    assert order[0] == 4 and sorted(order) == list(range(6))


def test_few_pixels_count_where_there_are_no_more():
    pixels = [[500, 3, 0], [500, 80, 0], [0, 0, 5]]
    np.testing.assert_array_equal(splitting.presence(pixels, 64), [
        [True, False, False], [True, True, False], [False, False, True]])
    np.testing.assert_array_equal(splitting.presence(pixels, 0), np.array(
        pixels) > 0)


@pytest.mark.parametrize("text, size", [
    ("1/8", 1323), ("1/4", 2646), ("0.1", 1058), ("92", 92), ("1.0", 10582),
    ("3/4", 7937)])
def test_sizes(text, size):
    assert splitting.size_of(text, 10582) == size


@pytest.mark.parametrize("text", ["0", "10583", "1/0", "-3", "a", "5/4",
                                  "0.00001", "1/2/3", ""])
def test_wrong_sizes(text):
    with pytest.raises(ArgumentError, match="--labeled = .*1/8 or 0.1"):
        splitting.size_of(text, 10582)


def test_an_order_divides():
    order = np.random.default_rng(0).permutation(20)
    labeled, rest = splitting.divide("abcdefghijklmnopqrst", order, 6)
    assert [ord(c) - 97 for c in labeled + rest] == list(order)
    assert len(labeled) == 6


def test_replacement_repeats():
    drawn = splitting.redraw(range(50), np.random.default_rng(0))
    assert len(drawn) == 50 > len(set(drawn))
    assert set(drawn) < set(range(50))


def test_the_seed_is_that_of_the_published_shuffles():
    order = np.arange(20)
    np.random.RandomState(10).shuffle(order)
    np.testing.assert_array_equal(splitting.shuffled(20, 10), order)

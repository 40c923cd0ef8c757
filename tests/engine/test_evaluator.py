# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import threading

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine.evaluator import evaluate, read_ahead
from contrib_semiseg.engine.inference import Inferencer


class Pictures:
    """Each pixel's brightest channel is its class, but for some pixels."""

    num_classes, ignore_index = 3, 255
    class_names = ["red", "green", "blue"]

    def __init__(self, count=5, broken=None, bare=None):
        self.count, self.broken, self.bare = count, broken, bare

    def __len__(self):
        return self.count

    def name(self, index):
        return f"{index}.png"

    def read(self, index):
        if index == self.broken:
            raise DataError(f"{self.name(index)} is broken")
        rng = np.random.default_rng(index)
        image = rng.integers(0, 256, (6 + index, 8, 3), np.uint8)
        label = image.argmax(2).astype(np.uint8)
        label[0, :3] = 255, 0, 1
        return image, None if index == self.bare else label


def brightest(x):
    return x


def test_scores_of_a_network_that_is_nearly_right():
    data = Pictures()
    scores = evaluate(Inferencer(forward=brightest), data)
    total = sum((6 + i) * 8 - 1 for i in range(5))
    wrong = sum(int((data.read(i)[0][0, 1:3].argmax(1) != [0, 1]).sum())
                for i in range(5))
    assert wrong and scores.matrix.sum() == total
    assert scores.accuracy == pytest.approx(1 - wrong / total)
    assert scores.class_names == ["red", "green", "blue"]


def test_scores_of_the_centre_alone():
    data = Pictures()
    run = Inferencer(forward=brightest, center_crop=True, crop_size=[4, 2])
    scores = evaluate(run, data)
    # The wrong and the ignored pixels of row 0 are left out.
    assert scores.matrix.sum() == 5 * 4 * 2 and scores.accuracy == 1.0


def test_ranks_share_the_images_and_sum_to_the_whole():
    run, data = Inferencer(forward=brightest), Pictures()
    whole = evaluate(run, data).matrix
    parts = []
    for rank in range(2):
        evaluate(run, data, rank=rank, world=2,
                 reduce=lambda m: parts.append(m) or m)
    np.testing.assert_array_equal(sum(parts), whole)
    assert all(part.sum() < whole.sum() for part in parts)
    scores = evaluate(run, data, rank=0, world=2, reduce=lambda m: m * 2)
    np.testing.assert_array_equal(scores.matrix, parts[0] * 2)


def test_a_rank_without_images_still_takes_part():
    scores = evaluate(Inferencer(forward=brightest), Pictures(1), rank=1,
                      world=2, reduce=lambda m: m + 1)
    assert scores.matrix.sum() == 9


def test_a_broken_image_or_a_missing_mask_is_named():
    run = Inferencer(forward=brightest)
    with pytest.raises(DataError, match="3.png is broken"):
        evaluate(run, Pictures(broken=3))
    with pytest.raises(DataError, match="2.png has no mask"):
        evaluate(run, Pictures(bare=2))


def test_reading_goes_ahead_in_order_and_not_without_end():
    asked = []

    def indices():
        for index in range(20):
            asked.append(index)
            yield index

    for workers in (1, 3):
        asked.clear()
        items = read_ahead(lambda i: -i, indices(), workers)
        assert next(items) == 0
        assert asked == [0, 1, 2, 3, 4]  # the one given out, four that wait
        assert list(items) == [-i for i in range(1, 20)]


def test_reading_happens_while_the_caller_works():
    started = threading.Event()

    def read(index):
        if index == 1:
            started.set()
        return index

    items = read_ahead(read, range(3))
    assert next(items) == 0 and started.wait(2)

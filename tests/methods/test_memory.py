# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""RowQueue against a list, and rows gathered from processes."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.methods.memory import RowQueue, gather_rows


def queue(capacity=5):
    return RowQueue(capacity=capacity, columns={
        "feature": ([2], "float32"), "label": ([], "int64")})


def rows(values):
    values = np.asarray(values)
    return dict(
        feature=paddle.to_tensor(np.stack([values, -values], 1), "float32"),
        label=paddle.to_tensor(values, "int64"))


@pytest.mark.parametrize("counts", [(2, 2, 2), (5, 1), (0, 3, 0, 4), (7, 2),
                                    (3, 12), (4, 1, 5), (0,)])
def test_the_newest_rows_stay_oldest_first(counts):
    memory, kept, number = queue(), [], 0
    for count in counts:
        new = list(range(number, number + count))
        number += count
        memory.append(**rows(new) if count else {
            "feature": paddle.zeros([0, 2]),
            "label": paddle.zeros([0], "int64")})
        kept = (kept + new)[-5:]
        assert len(memory) == len(kept)
        assert memory.rows("label").numpy().tolist() == kept
        assert memory.rows("feature").numpy().tolist() == [
            [v, -v] for v in kept]
    if kept:
        ages = [len(kept) - 1, 0]
        assert memory.take("label", paddle.to_tensor(ages)).numpy(
            ).tolist() == [kept[-1], kept[0]]


def test_state_goes_on_in_another_queue():
    memory, other = queue(), queue()
    memory.append(**rows([1, 2, 3, 4, 5, 6, 7]))
    other.set_state_dict(memory.state_dict())
    for q in (memory, other):
        q.append(**rows([8]))
    assert other.rows("label").numpy().tolist() == [4, 5, 6, 7, 8]


def test_no_gradient_reaches_the_rows():
    feature = paddle.ones([2, 2])
    feature.stop_gradient = False
    memory = queue()
    memory.append(feature=feature, label=paddle.zeros([2], "int64"))
    assert memory.rows("feature").stop_gradient


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="label has 3 rows, the others 2"):
        queue().append(feature=paddle.zeros([2, 2]),
                       label=paddle.zeros([3], "int64"))
    with pytest.raises(ValueError, match="its columns are"):
        queue().append(feature=paddle.zeros([2, 2]))


def test_size_is_that_of_the_buffers():
    assert queue(1024).megabytes == 1024 * (8 + 8) / 2**20


def test_one_process_gathers_its_own_rows():
    x = paddle.ones([3, 2])
    x.stop_gradient = False
    found = gather_rows(x)
    assert found.stop_gradient and found.shape == [3, 2]

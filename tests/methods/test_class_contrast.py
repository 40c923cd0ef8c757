# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Contrast and its memories: what the golden cases do not show."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.methods.class_contrast import ClassContrast
from contrib_semiseg.methods.class_memory import ClassMemory
from contrib_semiseg.methods.memory import RowQueue


def layer(**options):
    return ClassContrast(**{
        "num_classes": 3, "width": 4, "low_rank": 1, "high_rank": 3,
        "largest": 1.0, "by_label": False, "by_position": False,
        "anchor_thresh": 0.0, "queries": 5, "negatives": 2,
        "temperature": 0.5, "capacities": [7, 5, 5], **options})


def inputs(classes=3, side=4):
    """Two images of random features; every class is in each of them."""
    paddle.seed(0)
    label = paddle.arange(side * side).reshape([1, side, side]) % classes
    masks = (label.unsqueeze(1) == paddle.arange(classes).reshape(
        [1, -1, 1, 1])).expand([2, classes, side, side])
    features, teacher = (paddle.randn([2, 4, side, side]) for _ in range(2))
    features.stop_gradient = False
    every = paddle.ones([2, 1, side, side], "bool")
    probability = paddle.nn.functional.softmax(
        paddle.randn([2, classes, side, side]), axis=1)
    return [features, teacher, probability, masks, every, every]


@pytest.mark.parametrize("options, name, said", [
    (dict(num_classes=2, low_rank=3), "low_rank", "1 to 1 .*num_classes = 2"),
    (dict(low_rank=3, high_rank=20), "low_rank", "1 to 2 .*num_classes = 3"),
    (dict(low_rank=2, high_rank=2), "high_rank", "more than low_rank = 2")])
def test_ranks_that_no_class_has_are_refused(options, name, said):
    with pytest.raises(ArgumentError, match=said) as caught:
        layer(capacities=[4] * 3, **options)
    assert caught.value.name == name
    assert caught.value.value == options[name]


def test_two_classes_are_contrasted():
    two = layer(num_classes=2, high_rank=20, capacities=[9, 9])
    given = inputs(classes=2)
    loss = two(*given, labeled=1)
    loss.backward()
    assert float(loss) > 0 and given[0].grad.numpy().any()


@pytest.mark.parametrize("by_label", [True, False])
def test_no_negative_and_no_anchor(by_label):
    for options in (dict(largest=0.0), dict(anchor_thresh=1.0)):
        given = inputs()
        loss = layer(by_label=by_label, **options)(*given, labeled=1)
        loss.backward()
        assert float(loss) == 0 and not given[0].grad.numpy().any()


def test_a_class_alone_is_not_contrasted():
    given, found = inputs(), layer()
    found.memory.queues[0].append(feature=paddle.ones([5, 4]))
    given[3] = given[3] & (paddle.arange(3) == 0).reshape([1, 3, 1, 1])
    loss = found(*given, labeled=1)
    loss.backward()
    assert float(loss) == 0 and not given[0].grad.numpy().any()


def test_draws_are_of_all_places():
    paddle.seed(0)
    drawn = ClassContrast.draw(6, 4000).numpy()
    assert drawn.dtype == np.int64
    counts = np.bincount(drawn, minlength=6)
    assert len(counts) == 6 and abs(counts / 4000 - 1 / 6).max() < 0.03


def test_averaged_means_of_the_paper_are_kept():
    found = layer(average=True)
    means = paddle.to_tensor(np.eye(3, 4), "float32")
    for count, factor in ((0, 1.0), (1, 1.0), (4, 0.75 + 0.25)):
        positives = found.positives(means, [(0, 0), (1, 1)], count)
        np.testing.assert_allclose(positives[0], factor * means[0])
    assert found.means.numpy().any(axis=1).tolist() == [True, True, False]
    later = found.positives(2 * means, [(1, 1), (2, 2)], 4)
    np.testing.assert_allclose(later[0], 1.25 * means[1])
    assert found.means[0].numpy().any(), "not used, and not forgotten"
    often = found.positives(means, [(0, 0)], 10**6)[0]
    np.testing.assert_allclose(often, means[0], rtol=1e-3)


def test_more_keys_than_a_memory_holds():
    memory = ClassMemory(capacities=[3, 40], width=2)
    features = paddle.arange(16, dtype="float32").reshape([1, 2, 2, 4])
    masks = paddle.ones([1, 2, 2, 4], "bool")
    masks[0, 1, 0] = False
    memory.append(features, masks)
    assert memory.queues[0].rows("feature").tolist() == [
        [5, 13], [6, 14], [7, 15]]
    assert memory.queues[1].rows("feature").tolist() == [
        [4, 12], [5, 13], [6, 14], [7, 15]]
    memory.append(features, paddle.zeros([1, 2, 2, 4], "bool"))
    assert [len(queue) for queue in memory.queues] == [3, 4]
    assert "2 classes, at most 43 rows of 2 numbers, 0.0 MiB" in memory.note()


def test_a_memory_on_the_host_gives_the_same_rows():
    for device in (None, "cpu"):
        queue = RowQueue(capacity=3, device=device,
                         columns={"feature": ([2], "float32")})
        queue.append(feature=paddle.arange(8, dtype="float32").reshape([4, 2]))
        assert queue.take("feature", paddle.to_tensor([0, 2])).tolist() == [
            [2, 3], [6, 7]]
    assert queue.feature.place.is_cpu_place()

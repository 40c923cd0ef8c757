# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.sampling import (
    CycledStream,
    Stream,
    extend_indices,
    item_rng,
    rank_places,
    repeat_indices,
    resampled_indices,
    training_streams,
)


def stream(**changes):
    args = dict(n=5, length=12, batch=4, seed=0, name="labeled")
    return Stream(**{**args, **changes})


def epoch_of(s, epoch):
    first = epoch * s.iters_per_epoch
    return [k.index for i in range(s.iters_per_epoch)
            for k in s.keys(first + i)]


def test_an_epoch_holds_the_stretched_list_in_a_new_order():
    s = stream()
    first, second = epoch_of(s, 0), epoch_of(s, 1)
    for order in (first, second):
        counts = np.bincount(order, minlength=5)
        assert sorted(counts) == [2, 2, 2, 3, 3]
    assert first != second
    assert epoch_of(stream(), 0) == first
    assert epoch_of(stream(seed=1), 0) != first
    assert epoch_of(stream(name="source"), 0) != first


def test_rest_of_an_epoch_is_dropped():
    s = stream(length=15)
    assert s.iters_per_epoch == 3
    keys = s.keys(3)
    assert [(k.epoch, k.position) for k in keys] == [(1, i) for i in range(4)]


def test_two_ranks_share_the_batch_of_one():
    one = stream(batch=4)
    two = [stream(batch=2, world=2, rank=r) for r in range(2)]
    for step in range(7):
        assert two[0].keys(step) + two[1].keys(step) == one.keys(step)


def test_fixed_order_repeats_the_first_epoch():
    s = stream(fixed_order=True)
    assert epoch_of(s, 3) == epoch_of(stream(), 0)
    assert s.keys(3)[0].epoch == 1  # the items' own draws go on changing


def test_same_image_mix_pairs_equal_images_with_other_draws():
    both = training_streams(labeled=3, unlabeled=9, batch=2, seed=0,
                            source=True, same_image_mix=True)
    apart = training_streams(labeled=3, unlabeled=9, batch=2, seed=0,
                             source=True)
    assert list(both) == ["labeled", "unlabeled", "source"]
    assert {s.iters_per_epoch for s in both.values()} == {4}
    assert epoch_of(both["source"], 1) == epoch_of(both["unlabeled"], 1)
    assert epoch_of(both["source"], 1) == epoch_of(both["source"], 0)
    assert epoch_of(apart["source"], 0) != epoch_of(apart["unlabeled"], 0)
    assert both["source"].keys(0)[0].stream == "source"
    assert list(training_streams(labeled=3, batch=2, seed=0)) == ["labeled"]


def test_item_generators_differ_in_each_part_of_their_key():
    keys = [(0, "labeled", 0, 0), (1, "labeled", 0, 0), (0, "source", 0, 0),
            (0, "labeled", 1, 0), (0, "labeled", 0, 1)]
    draws = [item_rng(*key).random() for key in keys]
    assert len(set(draws)) == len(keys)
    assert draws == [item_rng(*key).random() for key in keys]


def test_items_are_those_of_an_earlier_version():
    # Resumed runs and published figures rest on these numbers.
    assert epoch_of(stream(), 0) == [2, 0, 3, 2, 1, 1, 0, 4, 4, 3, 4, 0]
    assert item_rng(0, "labeled", 2, 7).integers(1000) == 994


def test_fewer_images_than_a_batch():
    with pytest.raises(DataError, match="3 images.*batch of 2 on each of 2"):
        stream(n=3, length=3, batch=2, world=2)


def test_extension_by_hand():
    assert extend_indices(3, 7, [2, 0, 1]).tolist() == [0, 1, 2, 0, 1, 2, 2]
    assert extend_indices(3, 2, [2, 0, 1]).tolist() == [0, 1]


def test_places_are_dealt_in_turn_and_wrap():
    assert rank_places(7, 3, 0).tolist() == [0, 3, 6]
    assert rank_places(7, 3, 2).tolist() == [2, 5, 8]
    assert repeat_indices(3, 7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert repeat_indices(5, 3).tolist() == [0, 1, 2]


def joint(labeled=3, unlabeled=7, **changes):
    args = dict(labeled=labeled, unlabeled=unlabeled, batch=2, seed=0,
                source=True, same_image_mix=True, joint_order=True)
    return training_streams(**{**args, **changes})


def test_a_joint_order_keeps_the_pairs():
    streams = joint()
    assert {s.iters_per_epoch for s in streams.values()} == {3}
    epochs = [epoch_of(streams["unlabeled"], i) for i in range(3)]
    assert epochs[0] != epochs[1] != epochs[2], "the order is new each time"
    for i, order in enumerate(epochs):
        assert len(set(order)) == 6
        assert epoch_of(streams["labeled"], i) == [k % 3 for k in order]
        assert epoch_of(streams["source"], i) == order
    positions = [k.position for k in streams["source"].keys(1)]
    assert positions == [2, 3]


def test_a_joint_order_with_a_source_of_its_own():
    streams = joint(same_image_mix=False)
    order = epoch_of(streams["unlabeled"], 0)
    assert epoch_of(streams["source"], 0) != order
    assert epoch_of(streams["labeled"], 0) == [k % 3 for k in order]


def test_more_labelled_images_than_unlabelled_ones():
    streams = joint(labeled=8, unlabeled=7)
    assert {s.iters_per_epoch for s in streams.values()} == {3}
    assert epoch_of(streams["labeled"], 0) == epoch_of(streams["unlabeled"], 0)
    alone = training_streams(labeled=8, batch=2, seed=0, joint_order=True)
    assert alone["labeled"].iters_per_epoch == 4


def test_ranks_of_a_joint_order_share_its_batches():
    one = joint(batch=4)["unlabeled"]
    ranks = [joint(world=2, rank=r)["unlabeled"] for r in range(2)]
    # ceil(7 / 2) items a rank, so one iteration more than whole batches.
    assert [s.iters_per_epoch for s in (one, *ranks)] == [1, 2, 2]
    assert sorted(ranks[0].keys(0) + ranks[1].keys(0)) == one.keys(0)
    last = sorted(ranks[0].keys(1) + ranks[1].keys(1))
    assert [k.position for k in last] == [4, 5, 6, 7]
    assert last[-1].index == one.keys(0)[0].index  # once more, drawn anew


def cycled(n=5, iters=7, batch=2, **changes):
    return CycledStream(**{**dict(n=n, iters=iters, batch=batch, seed=0,
                                  name="labeled"), **changes})


def turns(s, epoch):
    """Keys of an epoch, cut where a turn through the list ends."""
    first = epoch * s.iters_per_epoch
    keys = [s.keys(first + i) for i in range(s.iters_per_epoch)]
    return [[k for row in keys[i:i + s.iters_per_turn] for k in row]
            for i in range(0, len(keys), s.iters_per_turn)]


def test_an_epoch_of_a_fixed_length_goes_through_the_list_anew():
    s = cycled()
    assert (s.iters_per_epoch, s.iters_per_turn) == (7, 2)
    found = turns(s, 0) + turns(s, 1)
    assert [len(turn) for turn in found] == [4, 4, 4, 2] * 2
    assert all(len({k.index for k in turn}) == len(turn) for turn in found)
    assert len({tuple(k.index for k in turn) for turn in found[:3]}) == 3
    assert {k.epoch for turn in turns(s, 1) for k in turn} == {1}
    # No two items draw the same random numbers.
    keys = [(k.epoch, k.position) for turn in found for k in turn]
    assert len(set(keys)) == len(keys)


def test_a_list_longer_than_the_epoch_is_cut_in_a_new_order():
    s = cycled(n=50, iters=5)
    first, second = ([k.index for turn in turns(s, e) for k in turn]
                     for e in (0, 1))
    assert len(set(first)) == 10 and first != second
    assert max(first + second) > 9


def test_a_replayed_epoch_repeats_its_first_batches():
    s = cycled(replay=True)
    first, *others = turns(s, 0)
    assert others == [first, first, first[:2]]
    assert turns(s, 1)[0] != first
    assert [k.index for k in first] == [k.index for k in turns(cycled(), 0)[0]]


def test_items_of_a_cycled_list_are_dealt_to_the_processes():
    whole = cycled(n=7, batch=4)
    ranks = [cycled(n=7, world=2, rank=r) for r in range(2)]
    for step in range(3):
        one, two = (s.keys(step) for s in ranks)
        assert len({k.position for k in one + two}) == 4
    # ceil(7 / 2) items a process.
    assert [s.iters_per_turn for s in (whole, *ranks)] == [1, 2, 2]
    indices = [k.index for step in range(2) for s in ranks
               for k in s.keys(step)]
    assert set(indices) == set(range(7))
    # Over several turns too, no two processes draw the same numbers.
    keys = [(k.epoch, k.position) for step in range(7) for s in ranks
            for k in s.keys(step)]
    assert len(set(keys)) == len(keys)


def test_streams_of_a_fixed_length():
    streams = training_streams(labeled=5, unlabeled=20, batch=2, seed=0,
                               source=True, same_image_mix=True, iters=9,
                               replay=True)
    assert {s.iters_per_epoch for s in streams.values()} == {9}
    assert all(s.replay for s in streams.values())
    x, u, source = (streams[n].keys(4) for n in ("labeled", "unlabeled",
                                                 "source"))
    assert [k.index for k in source] == [k.index for k in u] != [
        k.index for k in x]
    assert set(training_streams(labeled=5, batch=2, seed=0, iters=9)) == {
        "labeled"}
    assert not training_streams(labeled=5, batch=2, seed=0,
                                iters=9)["labeled"].replay


def test_a_list_that_fills_no_batch_is_refused():
    with pytest.raises(DataError, match="the labeled stream has 2 images, "
                       "fewer than the batch of 2 on each of 2 processes"):
        cycled(n=2, world=2, batch=2)


def test_a_resampled_list_has_the_same_items_in_every_epoch():
    streams = training_streams(labeled=5, unlabeled=13, batch=2, seed=3,
                               source=True, list_resampling=True)
    assert {s.iters_per_epoch for s in streams.values()} == {6}
    labeled = streams["labeled"]
    first, second = labeled.order(0).tolist(), labeled.order(1).tolist()
    assert first != second and sorted(first) == sorted(second)
    assert sorted(np.bincount(first)) == [2, 2, 3, 3, 3]
    assert sorted(streams["unlabeled"].order(0)) == list(range(13))
    assert sorted(first) == sorted(resampled_indices(5, 13, 3))
    longer = training_streams(labeled=20, unlabeled=13, batch=2, seed=3,
                              list_resampling=True)["labeled"]
    assert longer.length == 13 and len(set(longer.order(0))) == 13
    alone = training_streams(labeled=5, batch=2, seed=3, list_resampling=True)
    assert alone["labeled"].order(0).tolist() == training_streams(
        labeled=5, batch=2, seed=3)["labeled"].order(0).tolist()


@pytest.mark.parametrize("labeled, total, batch, world, iters", [
    (92, 10582, 4, 4, 655), (183, 10582, 4, 4, 650),
    (662, 10582, 4, 4, 620), (5291, 10582, 4, 4, 330),
    (186, 2975, 2, 8, 174), (1488, 2975, 2, 8, 93)])
def test_iterations_of_the_lists_of_u2pl(labeled, total, batch, world, iters):
    for rank in (0, world - 1):
        streams = training_streams(
            labeled=labeled, unlabeled=total - labeled, batch=batch, seed=2,
            list_resampling=True, world=world, rank=rank)
        assert {s.iters_per_epoch for s in streams.values()} == {iters}


def streams_of(rank, world, labeled, unlabeled, **options):
    return training_streams(labeled=labeled, unlabeled=unlabeled, seed=5,
                            source=True, world=world, rank=rank, **options)


@pytest.mark.parametrize("options", [
    {}, {"same_image_mix": True}, {"joint_order": True},
    {"list_resampling": True}, {"iters": 5}, {"iters": 5, "replay": True}],
    ids=lambda o: "-".join(map(str, o)) or "plain")
def test_processes_never_get_out_of_step(options):
    # Lists of any lengths, batches that do not divide them, 1 to 4 ranks.
    rng, trained = np.random.default_rng(0), 0
    for _ in range(60):
        labeled, unlabeled = rng.integers(1, 24, 2).tolist()
        batch, world = int(rng.integers(1, 4)), int(rng.integers(1, 5))
        ranks, refused = [], []
        for rank in range(world):
            try:
                ranks.append(streams_of(rank, world, labeled, unlabeled,
                                        batch=batch, **options))
            except DataError as error:
                refused.append(str(error))
        # All of them begin, or all refuse for the same reason.
        assert len(refused) in (0, world) and len(set(refused)) <= 1
        trained += not refused
        for name in ranks[0] if ranks else ():
            own = [streams[name] for streams in ranks]
            length, = {s.iters_per_epoch for s in own}
            assert length == ranks[0]["labeled"].iters_per_epoch
            drawn = [[s.keys(step) for s in own]
                     for step in range(2 * length + 1)]
            assert {len(keys) for row in drawn for keys in row} == {batch}
            for row in drawn:
                # No two images of an iteration share their random numbers.
                keys = [(k.epoch, k.position) for part in row for k in part]
                assert len(set(keys)) == batch * world
                assert len({k.epoch for part in row for k in part}) == 1
            if not options.get("replay"):
                keys = [(k.epoch, k.position) for row in drawn
                        for part in row for k in part]
                assert len(set(keys)) == len(keys)
    assert trained > 30

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""List repetition, epoch arithmetic and the order that streams share."""

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.datasets.sampling import (
    Stream,
    rank_places,
    repeat_indices,
    training_streams,
)
from tests.golden.case import handles


def _streams(labeled, unlabeled, world, batch):
    """The streams of each rank, as the recipes set them up."""
    return [training_streams(labeled=labeled, unlabeled=unlabeled, batch=batch,
                             seed=0, source=True, same_image_mix=True,
                             joint_order=True, world=world, rank=rank)
            for rank in range(world)]


def _check_places(ranks, labeled, unlabeled):
    """All streams of a rank show the same place in a step, in two epochs."""
    for streams in ranks:
        iters = streams["unlabeled"].iters_per_epoch
        orders = []
        for step in (*range(iters), iters):
            x, u, source = (streams[name].keys(step) for name in (
                "labeled", "unlabeled", "source"))
            assert [k.index for k in x] == [k.index % labeled for k in u]
            assert [k.index for k in source] == [k.index for k in u]
            assert [k.position for k in source] == [k.position for k in u]
            orders.append([k.index for k in u])
        assert max(max(row) for row in orders) < unlabeled
    order = ranks[0]["unlabeled"].order
    assert sorted(order(0)) == sorted(order(1)) == list(range(unlabeled))
    if unlabeled > 5:
        assert order(0).tolist() != order(1).tolist()


def _iterations(n, world, batch):
    """Iterations of an epoch; 0 where a stream refuses its small list."""
    try:
        return Stream(n=n, length=n, world=world, batch=batch, seed=0,
                      name="unlabeled", joint=True).iters_per_epoch
    except DataError:
        return 0


@handles("unimatch", "sampler_lists")
def sampler_lists(case):
    for k, (labeled, unlabeled) in enumerate(case["in_nl_nu"].tolist()):
        case.check(f"out_label_index_{k}", repeat_indices(labeled, unlabeled))
        _check_places(_streams(labeled, unlabeled, 2, 1), labeled, unlabeled)
    samples, iters = [], []
    for n, world, batch in case["in_N_W_B"].tolist():
        samples.append(len(rank_places(n, world, 0)))
        iters.append(_iterations(n, world, batch))
    case.check("out_samples_per_rank", samples)
    case.check("out_iters_per_epoch", iters)
    for name in [n for n in case.arrays if n.startswith("in_perm_")]:
        shards = case[f"out_shards_{name[8:]}"]
        perm, world = case[name], len(shards)
        rows = [perm[rank_places(len(perm), world, rank) % len(perm)]
                for rank in range(world)]
        case.check(f"out_shards_{name[8:]}", np.array(rows))


@handles("dssn", "loader_order")
def loader_order(case):
    for j, row in enumerate(case.params["entries"]):
        if "n_labelled" not in row:
            assert all(row.values()), "facts that _check_places holds to"
            continue
        labeled, unlabeled = row["n_labelled"], row["n_unlabelled"]
        case.check(f"out_{j}_label_index", repeat_indices(labeled, unlabeled))
        assert len(rank_places(unlabeled, row["world"], 0)) == \
            row["unlabelled_per_rank"]
        ranks = _streams(labeled, unlabeled, row["world"], row["batch"])
        assert {s.iters_per_epoch for r in ranks for s in r.values()} == {
            row["iters_per_epoch"]}
        _check_places(ranks, labeled, unlabeled)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run asks of its data: orders, and the views that are read."""

import pytest

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.engine import training
from tests.support import tiny


class Images(list):
    """A dataset of which only length and options count."""

    same_image_mix = joint_order = list_resampling = False


@pytest.mark.parametrize("joint, same", [(False, False), (False, True),
                                         (True, False), (True, True)])
def test_orders_of_the_streams(joint, same):
    unlabeled = Images(range(9))
    unlabeled.joint_order, unlabeled.same_image_mix = joint, same
    streams = training.make_streams(
        {"labeled": Images(range(3)), "unlabeled": unlabeled,
         "source": unlabeled}, training.RunOptions(batch_size=9))
    x, u, source = ([k.index for k in streams[name].keys(1)] for name in (
        "labeled", "unlabeled", "source"))
    assert (x == [i % 3 for i in u]) == joint
    assert (source == u) == same


@pytest.mark.parametrize("accumulate", [1, 3])
def test_epochs_of_a_fixed_length(accumulate):
    run = training.RunOptions(
        batch_size=2, iters_per_epoch=7, epoch_cycle="replay",
        accumulate_steps=accumulate)
    streams = training.make_streams(
        {"labeled": Images(range(4)), "unlabeled": Images(range(9))}, run)
    assert {s.iters_per_epoch for s in streams.values()} == {7 * accumulate}
    assert streams["labeled"].replay
    run.iters_per_epoch = None
    streams = training.make_streams({"labeled": Images(range(4))}, run)
    assert streams["labeled"].iters_per_epoch == 2


def test_resampled_streams():
    unlabeled = Images(range(9))
    unlabeled.list_resampling = True
    x = training.make_streams(
        {"labeled": Images(range(20)), "unlabeled": unlabeled},
        training.RunOptions(batch_size=9))["labeled"]
    assert x.length == 9 and sorted(x.order(0)) == sorted(x.order(1))


def test_views_that_no_method_reads_are_not_made(tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    def loader(**options):
        raise Stop(options["requires"])

    monkeypatch.setattr(training, "TrainLoader", loader)
    path = tiny.config(tmp_path, method={"type": "Supervised"})
    with pytest.raises(Stop, match="labeled.img.*labeled.label"):
        training.train(Config.load(path))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""How a run counts on with other processes or batches."""

import dataclasses

from contrib_semiseg.datasets.sampling import training_streams
from contrib_semiseg.engine.progress import Progress

TWO = Progress.begin(turn=6, batches=1, processes=2, batch_size=2)


def test_the_same_run_goes_on_where_it_was():
    begun = Progress.begin(turn=7, batches=3, processes=2, batch_size=2)
    assert begun.epoch == 2 and begun.images == 12
    for step in (0, 1, 5, 17):
        again = begun.after(begun, step)
        assert [again.batch(step + i) for i in range(3)] == [
            3 * (step + i) for i in range(3)]
        assert again.epoch == 2 and begun.change(again) is None
        # And a second time, further on.
        assert again.after(again, step + 4).batch(step + 4) == 3 * step + 12


def test_half_the_processes_count_on_and_skip_no_image():
    one = Progress.begin(turn=12, batches=1, processes=1, batch_size=2)
    went_on = one.after(TWO, 9)
    assert (went_on.epoch, went_on.batch(9), went_on.batch(11)) == (6, 18, 20)
    back = TWO.after(went_on, 12)  # 21 batches, the 11th of the other
    assert (back.epoch, back.batch(12), back.batch(13)) == (6, 11, 12)
    assert one.change(TWO) == (
        "images of an iteration (processes x batch_size): 2 x 2 and now 1 x "
        "2; iterations and epochs are counted on; --batch_size 4 would show "
        "as many as before")


def test_as_many_images_are_the_same_images():
    one = Progress.begin(turn=6, batches=1, processes=1, batch_size=4)
    went_on = one.after(TWO, 9)
    assert went_on.batch(9) == 9
    line = one.change(TWO)
    assert "2 x 2 and now 1 x 4" in line and "would" not in line
    split = dataclasses.replace(one, batches=2, batch_size=2, turn=12)
    assert split.after(TWO, 9).batch(9) == 18
    assert "now 1 x 2 x 2;" in split.change(TWO)


def test_no_draw_comes_twice_whatever_the_lengths():
    rest = dict(labeled=5, unlabeled=23, seed=0)
    for batches in ((4, 1, 3, 2), (1, 2, 7, 3)):
        seen, old, step = set(), None, 0
        for batch in batches:
            stream = training_streams(batch=batch, **rest)["unlabeled"]
            now = Progress.begin(turn=stream.iters_per_epoch, batches=1,
                                 processes=1, batch_size=batch)
            old = now.after(old, step) if old else now
            for later in range(step, step + 7):
                keys = {(k.epoch, k.position) for k in
                        stream.keys(old.batch(later))}
                assert not keys & seen
                seen |= keys
            step += 7

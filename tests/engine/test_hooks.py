# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Logs, VisualDL records, checkpoints and the best network."""

import json

import numpy as np
import pytest
from visualdl import LogReader, LogWriter

from contrib_semiseg.engine import checkpoint
from contrib_semiseg.engine.hooks import CheckpointHook, LogHook
from contrib_semiseg.metrics.confusion import Scores
from tests.engine.test_trainer import trainer_of
from tests.support import tiny
from tests.support.line import Line, batch


def records(folder, kind, tag):
    file = next(folder.glob("*.log"))
    return [(r.id, r.value if kind == "scalar" else r.image)
            for r in LogReader(file_path=str(file)).get_data(kind, tag)]


def test_scalars_are_means_over_the_interval(tmp_path, capsys):
    with LogWriter(str(tmp_path)) as writer:
        trainer = trainer_of(Line(), hooks=[LogHook(every=2, writer=writer)])
        trainer.fit([batch(v) for v in (1.0, 2.0, 3.0, 4.0)])
    # w is 1, 0.9, 0.5, -0.4 at the four steps.
    got = records(tmp_path, "scalar", "train/loss_a")
    assert [k for k, _ in got] == [2, 4]
    np.testing.assert_allclose([v for _, v in got],
                               [(1.0 + 1.8) / 2, (1.5 - 1.6) / 2], atol=1e-6)
    assert records(tmp_path, "scalar", "train/lr")[0][1] == pytest.approx(0.2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "iter: 2/4" in lines[0] and "loss_a: 1.4000" in lines[0]
    assert "ETA 0:00:00" in lines[1] and "other: 2.5000" in lines[1]


class Sometimes(Line):
    """A loss and a share that only every other step has."""

    def forward(self, batch, step):
        terms = super().forward(batch, step)
        if step.it % 2:
            terms.update(loss_b=terms["loss_a"] * 0 + 3, share=terms["other"])
        return terms


def test_terms_that_some_steps_lack(capsys):
    trainer = trainer_of(Sometimes(), hooks=[LogHook(every=4)])
    trainer.fit([batch(0.0)] * 4)
    line, = capsys.readouterr().out.splitlines()
    # The loss is the mean over all four steps, the share over its own two.
    assert "loss: 1.5000" in line and "loss_b: 1.5000" in line
    assert "share: 2.0000" in line


def scores_of(accuracy):
    right = int(100 * accuracy)
    return Scores(np.array([[right, 100 - right], [100 - right, right]]))


def test_best_and_last_are_kept_apart(tmp_path):
    quality = iter([0.5, 0.9, 0.7])
    hook = CheckpointHook(save_dir=str(tmp_path), every=1, keep=2,
                          evaluate=lambda network: scores_of(next(quality)))
    trainer_of(Line(), total=3, hooks=[hook]).fit([batch(1.0)] * 3)
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == ["iter_2",
                                                                  "iter_3"]
    best = json.loads((tmp_path / "best_model/scores.json").read_text())
    assert best["iter"] == 2
    assert (tmp_path / "best_model/model.pdparams").read_bytes() == \
        (tmp_path / "iter_2/model.pdparams").read_bytes()
    assert (tmp_path / "iter_3/model.pdparams").read_bytes() != \
        (tmp_path / "iter_2/model.pdparams").read_bytes()


def test_a_resumed_best_is_not_lost(tmp_path):
    hook = CheckpointHook(save_dir=str(tmp_path), every=1, keep=2, best=0.99,
                          evaluate=lambda network: scores_of(0.5))
    trainer_of(Line(), total=1, hooks=[hook]).fit([batch(1.0)])
    assert not (tmp_path / "best_model").exists()


def test_a_run_writes_pictures_and_scores(tmp_path):
    config = tiny.config(tmp_path, iters=2, save_interval=2, image_interval=2)
    status, out, err = tiny.run("train.py", "--config", config, "--use_vdl",
                                "--do_eval")
    assert status == 0, err
    folder = tmp_path / "run" / "vdl"
    for tag in ("train/labeled", "train/unlabeled"):
        assert len(records(folder, "image", tag)) == 1
    for tag in ("eval/mIoU", "train/loss_cps", "train/agreement",
                "train/data_wait_seconds", "train/images_per_second"):
        assert records(folder, "scalar", tag)[-1][0] == 2
    assert err == "", "a run in a log says nothing on stderr"

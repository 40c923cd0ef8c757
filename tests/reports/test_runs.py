# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run's folder says."""

import subprocess
import sys

import pytest

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.reports.runs import Run, mean_and_deviation, told
from tests.support import fake_runs, tiny


def test_a_run(tmp_path):
    fake_runs.run(tmp_path / "r", seed=3, rows=[
        fake_runs.diagnosis(2, 1, 1.0), fake_runs.diagnosis(6, 5, 0.5)])
    run = Run(tmp_path / "r")
    assert run.finished and run.seed == 3 and run.title == "m_toy"
    assert (run.last, run.best) == (0.4, 0.5)
    assert run.iterations == (6, 6) and run.labeled == 12
    assert run.main.step_seconds == 0.7, "the median: one had to wait"
    assert run.seconds == 60 and run.memory_mb == 500
    assert run.class_iou["sky"] == pytest.approx(6 / 9)
    assert run.quality["precision"] == run.quality["coverage"] == 0.5
    assert run.quality["learned"]


def test_a_staged_run(tmp_path):
    fake_runs.staged_run(tmp_path / "r", seed=4)
    run = Run(tmp_path / "r")
    assert run.seed == 4 and [p.name for p in run.parts] == ["teacher",
                                                             "student"]
    assert (run.last, run.best) == (0.6, 0.6)
    assert run.iterations == (4, 6) and run.seconds == 120
    assert run.memory_mb == 900
    # Of both stages' masks, not of the student's own labels.
    assert run.quality["precision"] == pytest.approx(12 / 20)
    assert run.quality["coverage"] == 1 and run.quality["learned"]


def test_a_run_that_has_not_got_far(tmp_path):
    fake_runs.run(tmp_path / "r", mious=(), finished=True)
    run = Run(tmp_path / "r")
    assert not run.finished, "without an evaluation there is no result"
    assert run.last is None and run.best is None and run.quality is None
    fake_runs.run(tmp_path / "s", finished=False)
    assert not Run(tmp_path / "s").finished
    (tmp_path / "t").mkdir()
    with pytest.raises(DataError, match="holds no run.json"):
        Run(tmp_path / "t")
    (tmp_path / "t" / "run.json").write_text('{"stages": {"a": {}}}')
    assert Run(tmp_path / "t").main is None
    (tmp_path / "t" / "run.json").write_text("[]")
    with pytest.raises(DataError, match="damaged"):
        Run(tmp_path / "t")


def test_recipes(tmp_path):
    for k, recipe in enumerate(({}, {}, {"batch_size": 8})):
        fake_runs.run(tmp_path / str(k), seed=k, recipe=recipe)
    one, two, three = (Run(tmp_path / str(k)).recipe for k in range(3))
    assert one == two != three


def test_means():
    assert mean_and_deviation([0.5, None]) == (0.5, None)
    assert mean_and_deviation([]) == (None, None)
    mean, deviation = mean_and_deviation([1.0, 2.0, 3.0])
    assert (mean, deviation) == (2.0, 1.0), "the sample's deviation"
    assert told([0.412, 0.416], 2, 100) == "41.40 ± 0.28"
    assert told([0.02], 2, 100, "+") == "+2.00" and told([None]) == "-"


def test_comparing_waits_without_paddle():
    """It lies in memory for hours beside the trainings."""
    code = ("import sys, contrib_semiseg.reports.page, "
            "contrib_semiseg.reports.jobs, contrib_semiseg.reports.document;"
            "assert 'paddle' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], cwd=tiny.ROOT, check=True)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run keeps about itself."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from contrib_semiseg.cvlibs import json_rows
from contrib_semiseg.cvlibs.errors import CheckpointError, DataError
from contrib_semiseg.cvlibs.json_rows import RUN
from contrib_semiseg.engine import records
from contrib_semiseg.engine.hooks import CheckpointHook, LogHook
from contrib_semiseg.metrics.confusion import Scores
from tests.engine.test_trainer import trainer_of
from tests.support import staged, tiny
from tests.support.line import Line, batch


def rows_of(folder, name):
    return [json.loads(line) for line in
            (folder / name).read_text().splitlines()]


def test_a_resumed_file_has_each_row_once(tmp_path):
    file = records.Rows(tmp_path / "rows.jsonl")
    for step in (2, 4, 6):
        file.append({"iter": step, "loss": step / 3})
    with open(file.path, "ab") as f:
        f.write(b'{"iter": 8, "lo')  # a kill
    file.resume(4)
    file.append({"iter": 6, "loss": float("nan")})
    assert rows_of(tmp_path, "rows.jsonl") == [
        {"iter": 2, "loss": 2 / 3}, {"iter": 4, "loss": 4 / 3},
        {"iter": 6, "loss": None}]
    before = file.path.stat().st_mtime_ns
    file.resume(6)
    assert file.path.stat().st_mtime_ns == before, "nothing was to be changed"
    file.resume(0)
    assert file.path.read_bytes() == b""


def test_rows_that_are_damaged_are_none(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"iter": 1}\nrubbish\n[1]\n\xff\n{"iter": 2}\n{"it')
    assert json_rows.read_rows(path) == [{"iter": 1}, {"iter": 2}]
    assert json_rows.read_rows(tmp_path / "none") == []
    path.write_text("[" * 100000)
    with pytest.raises(DataError, match="damaged"):
        json_rows.read_json(path)


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def write(self, data):
            return len(data) - 1

    monkeypatch.setattr(records, "open", lambda *a, **k: Full(),
                        raising=False)
    with pytest.raises(CheckpointError, match="No space left"):
        records.Rows(tmp_path / "rows.jsonl").append({"iter": 1})


def test_only_process_0_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(records.distributed, "rank", lambda: 1)
    records.Rows(tmp_path / "rows.jsonl").append({"iter": 1})
    run = records.RunFile(tmp_path, {})
    run.begin(0, 8)
    run.update(4)
    assert not list(tmp_path.iterdir())


def test_scalars_of_a_run(tmp_path):
    trainer_of(Line(), hooks=[LogHook(every=2, rows=records.Rows(
        tmp_path / "scalars.jsonl"))]).fit(
            [batch(v) for v in (1.0, 2.0, 3.0, 4.0)])
    first, second = rows_of(tmp_path, "scalars.jsonl")
    assert (first["iter"], second["iter"]) == (2, 4)
    assert first["loss_a"] == first["loss"] == pytest.approx(1.4)
    assert second["other"] == pytest.approx(2.5) and first["lr"] > 0
    assert first["batch_seconds"] > 0 and first["images_per_second"] > 0
    assert 10 < first["memory_mb"] <= second["memory_mb"]


def test_evaluations_do_not_count_as_steps(tmp_path):
    def evaluate(network):
        time.sleep(0.4)
        return Scores(np.eye(2, dtype=int))

    saver = CheckpointHook(save_dir=str(tmp_path), every=1, keep=2,
                           evaluate=evaluate)
    trainer_of(Line(), total=3, hooks=[LogHook(every=1, rows=records.Rows(
        tmp_path / "scalars.jsonl")), saver]).fit([batch(1.0)] * 3)
    seconds = [row["batch_seconds"] for row in
               rows_of(tmp_path, "scalars.jsonl")]
    assert len(seconds) == 3 and 0 < max(seconds) < 0.4


def test_memory_is_that_of_this_program():
    """Not that of the larger one that started it."""
    ballast = np.ones(80 * 2**20, np.uint8)
    code = ("import paddle; from contrib_semiseg.engine import records as r;"
            "import resource; print(r.memory_mb())")
    done = subprocess.run([sys.executable, "-c", code], cwd=tiny.ROOT,
                          capture_output=True, text=True, check=True)
    assert ballast.any() and 20 < float(done.stdout) < 1000


def test_run_file_over_sessions(tmp_path):
    facts = {"seed": 3}
    run = records.RunFile(tmp_path, facts)
    run.begin(0, 8)
    run.update(4)
    found = json_rows.read_json(tmp_path / RUN)
    assert (found["step"], found["finished"], found["seed"]) == (4, False, 3)
    assert found["command"].startswith("python ")
    assert found["versions"]["paddlepaddle"]
    began = found["started"]
    found["peak_memory_mb"], found["sessions"][0]["seconds"] = 1e6, 100
    (tmp_path / RUN).write_text(json.dumps({**found, "started": "x"}))
    again = records.RunFile(tmp_path, facts)
    again.begin(4, 8)
    again.update(8)
    found = json_rows.read_json(tmp_path / RUN)
    assert found["finished"] and found["started"] == "x" != began
    assert [(s["from"], s["to"]) for s in found["sessions"]] == [(0, 4),
                                                                 (4, 8)]
    assert 100 <= found["seconds"] < 110 and found["peak_memory_mb"] == 1e6
    (tmp_path / RUN).write_text("{")  # damaged: the run goes on
    again.begin(4, 8)
    assert len(json_rows.read_json(tmp_path / RUN)["sessions"]) == 1


def test_a_run_that_ends_in_its_save_is_not_finished(tmp_path, monkeypatch):
    run = records.RunFile(tmp_path, {})
    hook = CheckpointHook(save_dir=str(tmp_path), every=1, keep=2,
                          run_file=run)

    def full(*args, **options):
        raise CheckpointError("no space")

    monkeypatch.setattr("contrib_semiseg.engine.checkpoint.save", full)
    with pytest.raises(CheckpointError):
        trainer_of(Line(), total=1, hooks=[hook]).fit([batch(1.0)])
    assert not json_rows.read_json(tmp_path / RUN)["finished"]


def test_a_resumed_run_keeps_its_records(tmp_path):
    """Rows behind the checkpoint are redone, not doubled."""
    path = tiny.config(tmp_path, do_eval=True, diagnose_interval=2,
                       diagnose_images=3, save_interval=3)
    status, _, err = tiny.run("train.py", "--config", path)
    assert status == 0, err
    run, again = tmp_path / "run", tmp_path / "again"
    shutil.copytree(run, again)
    for name in ("iter_6", "iter_8"):
        shutil.rmtree(again / name)
    status, _, err = tiny.run("train.py", "--config", path, "--save_dir",
                              again, "--resume_model", "auto")
    assert status == 0, err
    assert [r["iter"] for r in rows_of(again, "scalars.jsonl")] == [2, 4, 6, 8]
    whole, other = (rows_of(f, "evaluations.jsonl") for f in (run, again))
    assert [r["iter"] for r in whole] == [3, 6, 8]
    for row in (*whole, *other):
        assert row.pop("seconds") > 0
        assert np.sum(row["confusion"]) > 0
    assert whole == other
    assert rows_of(run, "diagnosis.jsonl") == rows_of(again,
                                                      "diagnosis.jsonl")
    found = json_rows.read_json(again / RUN)
    assert found["finished"] and found["images"] == {"labeled": 4,
                                                     "unlabeled": 8}
    assert "--resume_model auto" in found["sessions"][1]["command"]


def test_a_staged_run(tmp_path):
    path = staged.config(tmp_path, "st", iters=2, save_interval=2,
                         diagnose_interval=2, diagnose_images=2)
    status, out, err = tiny.run("train.py", "--config", path)
    assert status == 0, err
    run = tmp_path / "run"
    found = json_rows.read_json(run / RUN)
    assert found["finished"] and [
        (name, s["kind"]) for name, s in found["stages"].items()] == [
            ("teacher", "Train"), ("labels", "Label"), ("student", "Train")]
    assert all(s["seconds"] > 0 for s in found["stages"].values())
    assert (run / "config.yml").is_file()
    student = json_rows.read_json(run / "student" / RUN)
    assert student["images"] == {"labeled": 4, "pseudo_labeled": 8}
    row, = rows_of(run / "labels", "diagnosis.jsonl")
    assert row["images"] == 8 and row["learned"] and row["coverage"] == 1
    assert f"precision: {row['precision']:.4f}"[:14] in out
    # The hook of a network that learns from labels alone says so.
    assert not rows_of(run / "teacher", "diagnosis.jsonl")[0]["learned"]

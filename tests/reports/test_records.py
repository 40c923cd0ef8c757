# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a page keeps of its runs."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import pytest

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.reports import page, records
from contrib_semiseg.reports.plan import Setting
from tests.support import fake_runs
from tests.support.tiny import ROOT

TOY = Setting("toy")


def make(save_dir, method, seed, miou, **options):
    folder = save_dir / f"{method}_seed{seed}"
    save_dir.mkdir(exist_ok=True)
    fake_runs.run(folder, seed=seed, mious=(0.1, miou), **options)
    fake_runs.entry(folder, method, seed)


@pytest.fixture
def path(tmp_path):
    """A page of two runs and one in stages, whose folders are gone."""
    runs = tmp_path / "runs"
    make(runs, "supervised", 0, 0.123456789012345, rows=[
        fake_runs.diagnosis(4, 9, 0.25, learned=False)])
    make(runs, "cps", 1, 0.5)
    fake_runs.staged_run(runs / "st_seed2", seed=2)
    fake_runs.entry(runs / "st_seed2", "st", 2)
    page.write(runs, TOY, tmp_path / "page.md", tmp_path)
    shutil.rmtree(runs)
    return tmp_path / "page.md"


def rows(path):
    return [json.loads(line) for line in
            page.records_path(path, TOY).read_text().splitlines()]


def test_a_page_outlives_its_runs(tmp_path, path):
    text, plot = path.read_text(), tmp_path / "images/benchmark_toy.svg"
    kept = page.records_path(path, TOY)
    assert kept == tmp_path / "page_toy.jsonl"
    before = text, plot.read_bytes(), kept.read_bytes()
    assert page.write(tmp_path / "none", TOY, path, tmp_path) == 3
    assert before == (path.read_text(), plot.read_bytes(), kept.read_bytes())
    first, second, third = rows(path)
    assert first["last"] == 0.123456789012345 and first["threads"] == ["1"]
    assert first["quality"]["precision"] == 0.9
    assert not first["quality"]["learned"]
    assert second["quality"] is None and second["method"] == "cps"
    assert third["iterations"] == [4, 6] and third["batch_size"] == 4
    assert str(tmp_path) not in kept.read_text()


def test_further_runs_are_added(tmp_path, path):
    make(tmp_path / "other", "supervised", 0, 0.4)
    make(tmp_path / "other", "cac", 0, 0.6)
    make(tmp_path / "other", "cps", 1, 0.7, finished=False)
    make(tmp_path / "other", "cps", 3, 0.7, finished=False)
    assert page.write(tmp_path / "other", TOY, path, tmp_path) == 4
    assert [(r["method"], r["seed"], r["last"]) for r in rows(path)] == [
        ("supervised", 0, 0.4), ("cac", 0, 0.6), ("cps", 1, 0.5),
        ("st", 2, 0.6)]
    text = path.read_text()
    assert "Not finished: cps, seed 3 (iteration 2)." in text
    assert "| `cac` | 0 | 60.00 | 60.00 | +20.00 |" in text
    # Of another split there is another file.
    page.write(tmp_path / "other", Setting("toy", "1_8"), path, tmp_path)
    assert len(rows(path)) == 4
    assert not (tmp_path / "page_toy_1_8.jsonl").exists()


@pytest.mark.parametrize("change", [
    {"method": 3}, {"seed": "0"}, {"last": None}, {"best": "0.5"},
    {"class_iou": {"sky": "1"}}, {"class_iou": None}, {"quality": {}},
    {"quality": 1}, {"iterations": [4]}, {"iterations": ["4", 4]},
    {"threads": None}, {"machine": 4}, {"more": 1}, {"seconds": [1]},
])
def test_what_is_no_record_is_refused(path, change):
    kept = page.records_path(path, TOY)
    first, second, third = rows(path)
    kept.write_text(fake_runs.lines([first, {**second, **change}, third]))
    with pytest.raises(DataError, match="page_toy.jsonl, line 2, is no"):
        records.read(kept)


@pytest.mark.parametrize("line", ["", "{", "[1]", "[" * 100_000, "<<<<<<<"])
def test_damaged_lines_are_refused(path, line):
    kept = page.records_path(path, TOY)
    whole = kept.read_text()
    kept.write_text(whole.replace("\n", f"\n{line}\n", 1))
    with pytest.raises(DataError, match="line 2, is no record"):
        page.write(path.parent, TOY, path, path.parent)
    row = rows_without(json.loads(whole.splitlines()[0]), "machine")
    kept.write_text(fake_runs.lines([row]))
    with pytest.raises(DataError, match="line 1, is no record"):
        records.read(kept)


def rows_without(row, key):
    return {k: v for k, v in row.items() if k != key}


def test_another_budget_is_refused(path):
    kept = page.records_path(path, TOY)

    def entry(staged=False, **config):
        return SimpleNamespace(staged=staged, path="configs/a.yml", config={
            "iters": 4, "batch_size": 4, "save_interval": 2, **config})

    records.check(kept, [entry()])
    records.check(kept, [entry(staged=True, iters=2)])
    records.check(kept.with_name("none"), [entry(iters=5)])
    for key in ("iters", "batch_size", "save_interval"):
        with pytest.raises(UserError, match=f"keeps runs with {key} = ") as e:
            records.check(kept, [entry(staged=True), entry(**{key: 5})])
        assert "configs/a.yml has 5; choose another --save_path" in str(
            e.value)
    # Of runs in stages alone the budget is not known.
    only = [r for r in records.read(kept) if r.staged]
    records.write(kept, only)
    records.check(kept, [entry(iters=5)])


def test_a_record_is_plain(path):
    record = records.read(page.records_path(path, TOY))[0]
    records.write(path, [dataclasses.replace(record, seconds=float("nan"))])
    assert records.read(path)[0].seconds is None


def test_the_published_page_is_made_of_its_records(tmp_path):
    setting, docs = Setting("camvid", "1_32"), tmp_path / "docs"
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    docs.mkdir()
    for name in ("benchmark.md", "benchmark_camvid_1_32.jsonl"):
        shutil.copy(ROOT / "docs" / name, docs)
    page.write(tmp_path / "none", setting, docs / "benchmark.md", tmp_path)
    for name in ("benchmark.md", "benchmark_camvid_1_32.jsonl",
                 "images/benchmark_camvid_1_32.svg"):
        assert (docs / name).read_bytes() == (
            ROOT / "docs" / name).read_bytes(), name

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of a comparison."""

import xml.etree.ElementTree as ET

import pytest

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.reports import page
from contrib_semiseg.reports.plan import Setting
from tests.support import fake_runs

TOY = Setting("toy")


def make(save_dir, method, seed, mious, split=None, **options):
    folder = save_dir / f"{method}_seed{seed}"
    fake_runs.run(folder, seed=seed, mious=mious, **options)
    fake_runs.entry(folder, method, seed, split=split)


@pytest.fixture
def runs(tmp_path):
    """Three methods; supervised and cps with two seeds."""
    save_dir = tmp_path / "runs"
    save_dir.mkdir()
    for seed, miou in ((0, 0.40), (1, 0.44)):
        make(save_dir, "supervised", seed, (0.1, miou), rows=[
            fake_runs.diagnosis(4, 9, 0.25, learned=False)])
        make(save_dir, "cps", seed, (0.2, miou + 0.02 * (seed + 1)), rows=[
            fake_runs.diagnosis(4, 7, 1.0)])
    make(save_dir, "supervised_full", 0, (0.8, 0.7), labeled=367)
    fake_runs.staged_run(save_dir / "st_seed2", seed=2)
    fake_runs.entry(save_dir / "st_seed2", "st", 2)
    make(save_dir, "cps", 2, (0.3, 0.4), finished=False)
    (save_dir / "u2pl_seed0").mkdir()
    fake_runs.entry(save_dir / "u2pl_seed0", "u2pl", 0)
    make(save_dir, "other", 0, (0.9,), split="1_8")
    (tmp_path / "configs" / "cps").mkdir(parents=True)
    (tmp_path / "configs/cps/cps_toy.yml").touch()
    return save_dir


def rows_of(text):
    """First cell -> the others, of the main table."""
    rows = [line.strip("|").split("|") for line in text.splitlines()
            if line.startswith("|")]
    head = [c.strip() for c in rows[0]]
    return {row[0].strip(): dict(zip(head[1:], (c.strip() for c in row[1:])))
            for row in rows[2:2 + 4]}


def test_the_table(tmp_path, runs):
    path = tmp_path / "docs" / "benchmark.md"
    assert page.write(runs, TOY, path, tmp_path) == 6
    text = path.read_text()
    rows = rows_of(text)
    assert list(rows) == ["`supervised`", "[`cps`](../configs/cps/cps_toy.yml)",
                          "`st`", "`supervised_full`"]
    base, cps, st, full = rows.values()
    assert base["seeds"] == "0, 1" and base["mIoU, last"] == "42.00 ± 2.83"
    assert base["gain"] == "" and base["coverage"] == "(25.0 ± 0.0)"
    assert base["precision"] == "(90.0 ± 0.0)"
    # Paired by seed: 2 and 4 points.
    assert cps["gain"] == "+3.00 ± 1.41" and cps["precision"] == "70.0 ± 0.0"
    assert cps["s/iteration"] == "0.70" and cps["minutes"] == "1"
    assert cps["peak MiB"] == "500" and cps["labelled images"] == "12"
    assert cps["iterations"] == "4"
    # No supervised run has its seed.
    assert st["gain"] == "-" and st["iterations"] == "4 (6 in all)"
    assert st["precision"] == "60.0" and st["coverage"] == "100.0"
    assert full["mIoU, last"] == "70.00" and full["mIoU, best"] == "80.00"
    assert full["gain"] == "+30.00" and full["precision"] == "-"
    assert full["labelled images"] == "367"
    assert "Not finished: cps, seed 2 (iteration 2); u2pl, seed 0 " in text
    assert "other" not in text, "it is of another split"
    assert "| `cps` | 66.7 | 50.0 |" in text, "IoU of each class"
    assert "|  | sky | &lt;road> |" in text
    assert "| `cps` | 100 / 100 | 0 / - |" in text
    assert str(tmp_path) not in text


def test_the_plot(tmp_path, runs):
    path = tmp_path / "benchmark.md"
    page.write(runs, TOY, path, tmp_path)
    assert "(images/benchmark_toy.svg)" in path.read_text()
    tree = ET.parse(tmp_path / "images/benchmark_toy.svg")
    words = [e.text for e in tree.iter() if e.tag.endswith("text")]
    order = ["supervised_full", "st", "cps", "supervised"]
    assert [w for w in words if w in order][:4] == order, "the best first"
    titles = [e.text for e in tree.iter() if e.tag.endswith("title")]
    assert "cps: 45.00 %" in titles and "st: 60.0 % of 100.0 %" in titles


def test_prose_around_stays(tmp_path, runs):
    path = tmp_path / "benchmark.md"
    page.write(runs, TOY, path, tmp_path)
    first = path.read_text()
    begin, end = page._markers(TOY)
    prose = first.replace(begin, f"before\n\n{begin}") + "\nafter\n"
    path.write_text(prose.replace("42.00 ± 2.83", "made up"))
    page.write(runs, TOY, path, tmp_path)
    assert path.read_text() == prose
    make(runs, "cac", 0, (0.5, 0.6))
    page.write(runs, TOY, path, tmp_path)
    text = path.read_text()
    assert "before\n\n" + begin in text and text.endswith("\nafter\n")
    assert "`cac`" in text
    # A second comparison has a part of its own.
    page.write(runs, Setting("toy", "1_8"), path, tmp_path)
    assert path.read_text().startswith(text.rstrip())
    assert "## toy_1_8" in path.read_text()
    path.write_text(text.replace(end, ""))
    with pytest.raises(DataError, match="allowed: each once"):
        page.write(runs, TOY, path, tmp_path)
    assert path.read_text() == text.replace(end, "")


def test_without_a_finished_run(tmp_path):
    page.write(tmp_path, TOY, tmp_path / "benchmark.md", tmp_path)
    assert "No run is finished" in (tmp_path / "benchmark.md").read_text()
    ET.parse(tmp_path / "images/benchmark_toy.svg")

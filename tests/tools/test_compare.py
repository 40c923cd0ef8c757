# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""tools/compare.py and tools/report.py as a user calls them."""

import json
import signal

import pytest

from tests.support import fake_runs, tiny

TOY = ("tools/compare.py", "--dataset", "shapescenes", "--methods",
       "supervised", "fixmatch", "--iters", 12, "--eval_interval", 3)


@pytest.mark.parametrize("command, said", [
    (("compare", "--dataset", "camvit"), "--dataset camvit: there is no"),
    (("compare", "--dataset", "camvid", "--split", "1_32", "--methods",
      "unimach"), "did you mean 'unimatch'?"),
    (("compare", "--dataset", "shapescenes", "--jobs", 0), "--jobs 0 is not"),
    (("compare", "--dataset", "shapescenes", "--seeds", -1), "--seeds -1"),
    (("compare", "--dataset", "shapescenes", "--dataset_root", "/none"),
     "--dataset_root /none: there is no such folder"),
    (("compare", "--dataset", "shapescenes", "--opts", "x"), "key=value"),
    (("compare",), "--dataset"),
    (("report", "/none"), "/none holds no run.json"),
    (("report", "/none", "--pictures", -1), "--pictures -1 is not allowed"),
    (("report", "/none", "--picture_dir", "x"), "without --pictures"),
])
def test_mistakes(tmp_path, command, said):
    script, *arguments = command
    if script == "compare":
        arguments += ["--save_dir", tmp_path / "runs", "--save_path",
                      tmp_path / "page.md"]
    status, out, err = tiny.run(f"tools/{script}.py", *arguments)
    assert status == 2 and err.count("\n") == 1 and said in err, out + err
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_it_shows_its_commands(tmp_path):
    status, out, err = tiny.run(*TOY, "--dry_run", "--save_dir",
                                tmp_path / "runs")
    assert status == 0 and not list(tmp_path.iterdir()), err
    assert [line.split()[:4] for line in out.splitlines()] == [
        ["python", "train.py", "--config", f"configs/{name}/{name}_shape"
         "scenes.yml"] for name in ("supervised", "fixmatch")]


def test_the_page_alone(tmp_path):
    fake_runs.run(tmp_path / "runs" / "supervised_seed0")
    fake_runs.entry(tmp_path / "runs" / "supervised_seed0", "supervised", 0,
                    dataset="shapescenes")
    (tmp_path / "runs/supervised_seed0/config.yml").unlink()
    command = (*TOY, "--page_only", "--save_dir", tmp_path / "runs",
               "--save_path", tmp_path / "page.md")
    status, out, err = tiny.run(*command)
    assert status == 2 and "config.yml cannot be read" in err
    (tmp_path / "runs/supervised_seed0/config.yml").write_text("iters: 9\n")
    status, out, err = tiny.run(*command)
    assert status == 2 and "was trained with another batch_size" in err


@pytest.mark.slow
def test_a_comparison_that_is_stopped_and_killed(tmp_path):
    """Ends as one that nothing happened to, and trains nothing twice."""
    def command(name, *more):
        return (*TOY, "--threads", 1, "--opts",
                f"cache_dir={tmp_path / 'scenes'}", "num_workers=0",
                "diagnose_images=4", "--save_dir", tmp_path / name,
                "--save_path", tmp_path / name / "page.md", *more)

    status, out, err = tiny.run(*command("whole", "--jobs", 2))
    assert status == 0, out + err
    page = (tmp_path / "whole/page.md").read_text()
    assert "[`fixmatch`]" in page and "(images/benchmark_shape" in page
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = tiny.start(*command("other"))
        log = tmp_path / "other/supervised_seed0/train.log"
        seen = log.read_text().count("[SAVE]") if log.exists() else 0
        tiny.wait_for(lambda seen=seen, log=log: log.exists() and
                      log.read_text().count("[SAVE]") > seen)
        status, out, _ = tiny.kill(process, number)
        assert status == (143 if number == signal.SIGTERM else -9)
    status, out, err = tiny.run(*command("other"))
    assert status == 0, out + err
    for name in ("supervised", "fixmatch"):
        one, two = (tmp_path / f / f"{name}_seed0" for f in ("whole", "other"))
        for path in ("iter_12/model.pdparams", "best_model/model.pdparams",
                     "diagnosis.jsonl"):
            if path.startswith("diag") and name == "supervised":
                continue
            assert (one / path).read_bytes() == (two / path).read_bytes()
        for file in ("scalars", "evaluations"):
            rows = [json.loads(line)["iter"] for line in
                    (two / f"{file}.jsonl").read_text().splitlines()]
            assert rows == [3, 6, 9, 12]
    status, out, err = tiny.run(*command("other"))
    assert status == 0 and out.count("is there, mIoU") == 2
    status, out, err = tiny.run("tools/report.py", *(
        tmp_path / f / f"{name}_seed0" for f in ("whole", "other")
        for name in ("supervised", "fixmatch")), "--save_path",
        tmp_path / "r.html")
    assert status == 0 and "4 runs" in out, err

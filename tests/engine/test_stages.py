# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs in stages: what is skipped, what goes on, and what is refused."""

import shutil
import signal

import numpy as np
import pytest
import yaml
from PIL import Image

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import CheckpointError, ConfigError
from contrib_semiseg.datasets.scene_painter import PALETTE
from contrib_semiseg.engine import checkpoint, stages
from contrib_semiseg.engine.labeling import read_labels
from contrib_semiseg.engine.stages import Pipeline
from contrib_semiseg.engine.training_stage import Train, stage_seed
from tests.support import staged, tiny
from tests.support.resumed import final_bytes

STAGES = ("teacher", "reliability", "reliable_labels", "assistant",
          "unreliable_labels", "student")


def train(path, *arguments):
    return tiny.run("train.py", "--config", path, "--engine", "eager",
                    *arguments)


def results(run):
    """All that a run handed on, byte for byte."""
    found = {f"{name}/{key}": value for name in
             ("teacher", "assistant", "student")
             for key, value in final_bytes(run / name).items()}
    for path in sorted(run.rglob("*")):
        if path.suffix in (".png", ".csv", ".txt"):
            found[str(path.relative_to(run))] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, config, output) of a run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    path = staged.config(folder, "stpp", sizes=(4, 12, 4), save_interval=2)
    status, out, err = train(path)
    assert status == 0, err
    return folder, path, out


def test_stages_hand_on_files_that_a_person_can_read(whole):
    folder, _, out = whole
    run = folder / "run"
    for name in STAGES:
        assert f"[STAGE] {name}: complete (" in out
    scores = (run / "reliability" / "scores.csv").read_text().splitlines()
    assert scores[0] == "image,reliability,agreement_iter_2,agreement_iter_5"
    by_name = {row.split(",")[0]: float(row.split(",")[1])
               for row in scores[1:]}
    assert list(by_name) == [f"{i:05d}.png" for i in range(4, 16)]
    reliable, unreliable = (
        (run / "reliability" / f"{part}.txt").read_text().split()
        for part in ("reliable", "unreliable"))
    ordered = [by_name[name] for name in reliable + unreliable]
    assert ordered == sorted(ordered, reverse=True) and len(reliable) == 6
    rows = read_labels(run / "reliable_labels")
    assert [row.image for row in rows] == sorted(reliable)
    for row in rows:
        mask = Image.open(run / "reliable_labels" / row.mask)
        assert mask.mode == "P" and np.array(mask).max() < 8
        assert mask.getpalette()[:24] == np.ravel(PALETTE).tolist()
        assert 1 / 8 < row.confidence <= 1 and row.labeled == 1
    listed = (run / "reliable_labels" / "labels.txt").read_text().split("\t")
    assert (run / "reliable_labels" / listed[0]).is_file()


def test_networks_start_anew_in_every_stage(whole):
    folder, _, _ = whole
    seeds = {yaml.safe_load((folder / "run" / name / "config.yml").read_text()
                            )["seed"] for name in ("teacher", "assistant",
                                                   "student")}
    assert seeds == {stage_seed(0, n) for n in ("teacher", "assistant",
                                                "student")}
    assert len(seeds) == 3


def test_a_complete_run_is_skipped(whole):
    folder, path, _ = whole
    before = results(folder / "run")
    status, out, err = train(path)
    assert status == 0, err
    assert out.count("complete, skipped") == 6 and "[TRAIN]" not in out
    assert results(folder / "run") == before


def begun(run, name):
    """Whether a stage is in its middle."""
    folder = run / name
    if name in ("teacher", "assistant", "student"):
        return (folder / "iter_2" / "training.safetensors").exists()
    return any(p.stat().st_size for p in folder.glob(".*.part"))


def test_killed_in_every_stage_and_started_again(whole):
    folder, path, _ = whole
    run = folder / "killed"  # as far from the images as the other
    for name in STAGES:
        process = tiny.start("train.py", "--config", path, "--engine",
                             "eager", "--save_dir", run)
        tiny.wait_for(lambda name=name, process=process: begun(run, name) or
                      process.poll() is not None)
        status, _, _ = tiny.kill(process)
        assert status == -signal.SIGKILL, f"{name} was over too soon"
        assert not (run / name / "complete.yml").exists(), name
    status, _, err = train(path, "--save_dir", run)
    assert status == 0, err
    assert results(run) == results(folder / "run")


def test_one_stage_alone(tmp_path):
    path = staged.config(tmp_path, "st", iters=2)
    status, _, err = train(path, "--stage", "labels")
    assert status == 2 and err.count("\n") == 1
    assert "reads the result of teacher, which is not complete" in err
    for name in ("teacher", "labels", "student"):
        status, out, err = train(path, "--stage", name)
        assert status == 0, err
        assert out.count("begins") == 1
    status, _, err = train(path, "--stage", "students")
    assert status == 2 and "did you mean 'student'?" in err


def test_a_plain_configuration_has_no_stages(tmp_path):
    status, _, err = train(tiny.config(tmp_path), "--stage", "teacher")
    assert status == 2 and "has no stages" in err


def test_changed_keys_are_named(whole, tmp_path):
    folder, path, _ = whole
    shutil.copytree(folder / "run", tmp_path / "run")
    for option, said in (
        ("optimizer.weight_decay=0.5",
         "teacher/stage.yml: settings.optimizer.weight_decay was 0.0001, and "
         "is 0.5 now; remove"),
        ("unlabeled_dataset.unlabeled=9",
         "reliability/stage.yml: settings.unlabeled_dataset.unlabeled was "
         "12, and is 9 now (1 more: settings.unlabeled_images"),
        ("stages.reliable_labels.min_confidence=0.5",
         "reliable_labels/stage.yml: settings.stage.min_confidence")):
        status, _, err = train(path, "--save_dir", tmp_path / "run", "--opts",
                               option)
        assert status == 2 and err.count("\n") == 1, err
        assert said in err
    status, _, err = train(path, "--save_dir", tmp_path / "run", "--log_iters",
                           1, "--num_workers", 1)
    assert status == 0, err


def test_a_stage_that_was_made_again_makes_the_next_one_stale(
        whole, tmp_path):
    folder, path, _ = whole
    shutil.copytree(folder / "run", tmp_path / "run")
    complete = tmp_path / "run" / "teacher" / "complete.yml"
    complete.write_text(complete.read_text().replace("digest: ", "digest: f"))
    status, _, err = train(path, "--save_dir", tmp_path / "run")
    assert status == 2
    assert "the result of teacher was another one" in err


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="holds files, but no stage.yml"):
        stages.same_record(tmp_path, {})
    assert not stages.same_record(tmp_path / "new", {})
    (tmp_path / "stage.yml").write_text("a: [")
    with pytest.raises(CheckpointError, match="is damaged"):
        stages.same_record(tmp_path, {})


def plan(folder, **changes):
    return Pipeline(Config.load(staged.config(folder, "stpp", **changes)))


@pytest.mark.parametrize("changed, said", [
    ({"reliability": {"network": "student"}},
     "stages.reliability.network = 'student' is no Train stage before"),
    ({"reliable_labels": {"selection": "teacher"}},
     "is no Select stage before reliable_labels; allowed: reliability"),
    ({"student": {"pseudo_labels": ["reliable_label"]}},
     "names reliable_label, which is no Label stage"),
    ({"teacher": {"snapshots": 1}}, "keeps no earlier network"),
    ({"teacher": {"iters": 1}}, "keeps no earlier network"),
    ({"teacher": {"iters": 4, "epochs": 2}}, "stands beside"),
    ({"unreliable_labels": {"weights": "best"}}, "do_eval.*assistant"),
])
def test_stages_that_do_not_fit_are_refused(tmp_path, changed, said):
    with pytest.raises(ConfigError, match=said):
        plan(tmp_path, stages=changed)


def test_pseudo_labels_need_images_and_a_method_of_labelled_ones(tmp_path):
    with pytest.raises(ConfigError, match="also reads unlabeled images"):
        plan(tmp_path, method={"type": "CPS"})
    config = Config.load(staged.config(tmp_path, "st"))
    del config.tree["unlabeled_dataset"]
    with pytest.raises(ConfigError, match="unlabeled_dataset is missing"):
        Pipeline(config)


def test_a_stage_may_have_a_length_of_its_own(tmp_path):
    pipeline = plan(tmp_path, stages={"student": {"epochs": 3}})
    student = pipeline.context.stages["student"]
    assert isinstance(student, Train)
    tree = student.own_config(pipeline.context).tree
    assert tree["epochs"] == 3 and "iters" not in tree
    assert "stages" not in tree
    assert "unlabeled_dataset" in student.settings(pipeline.context)
    teacher = pipeline.context.stages["teacher"]
    assert "unlabeled_dataset" not in teacher.settings(pipeline.context)


def test_ground_truth_of_unlabelled_images_is_never_opened(tmp_path):
    path = staged.config(tmp_path, "st", iters=1, stages={
        "labels": {"test_config": None}})
    status, _, err = train(path, "--stage", "teacher")
    assert status == 0, err
    # Masks that exist, and cannot be read.
    for mask in (tmp_path / "scenes").glob("*/train/masks/*.png"):
        if int(mask.stem) >= 4:
            mask.write_bytes(b"broken")
    for name in ("labels", "student"):
        status, _, err = train(path, "--stage", name)
        assert status == 0, err


def test_two_processes_share_the_images_out(tmp_path):
    path = staged.config(tmp_path, "st", sizes=(4, 9, 4), iters=2)
    logs = tiny.launch(tmp_path, "train.py", "--config", path, "--engine",
                       "eager")
    assert "[STAGE] student: complete" in "".join(logs)
    run = tmp_path / "run"
    rows = read_labels(run / "labels")
    assert [row.image for row in rows] == [f"{i:05d}.png"
                                           for i in range(4, 13)]
    before = {p: p.read_bytes() for p in run.rglob("*.png")}
    assert len(before) == 9 and not list(run.rglob(".*"))
    # One process alone labels as they did.
    shutil.rmtree(run / "labels")
    status, _, err = train(path, "--stage", "labels")
    assert status == 0, err
    assert {p: p.read_bytes() for p in run.rglob("*.png")} == before
    status, out, err = train(path)
    assert status == 0, err
    assert out.count("complete, skipped") == 3


def test_no_checkpoint_is_ahead_of_the_snapshots(tmp_path, monkeypatch):
    """Killed between the two, the run would never take the snapshot."""
    seen, save = {}, checkpoint.save

    def told(save_dir, *, step, **rest):
        found = (tmp_path / "run/teacher/snapshots").glob("iter_*")
        seen[step] = {p.name for p in found}
        return save(save_dir, step=step, **rest)

    monkeypatch.setattr(checkpoint, "save", told)
    plan(tmp_path, save_interval=1, iters=6).run("teacher")
    assert [seen[step] for step in (1, 2, 3, 4, 6)] == [
        set(), {"iter_2"}, {"iter_2"}, {"iter_2", "iter_4"},
        {"iter_2", "iter_4"}]

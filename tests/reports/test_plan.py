# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which trainings a comparison consists of."""

import dataclasses

import pytest

from contrib_semiseg.cvlibs.errors import UserError
from contrib_semiseg.reports import plan
from contrib_semiseg.reports.plan import Setting
from tests.support import tiny

CAMVID = Setting("camvid", "1_32")


def entries(tmp_path, names=("all",), seeds=(0,), setting=CAMVID):
    return plan.plan(tiny.ROOT, list(names), list(seeds), tmp_path, setting)


def test_every_method_of_a_dataset_is_found(tmp_path):
    found = entries(tmp_path)
    names = [e.method for e in found]
    assert names[0] == "supervised" and names[-1] == "supervised_full"
    methods = {p.parent.name for p in tiny.ROOT.glob(
        "configs/*/*_camvid_1_32.yml")}
    assert {e.path.split("/")[1] for e in found} == methods
    assert len(names) == len(set(names)) >= 13
    assert {e.config.get("iters") for e in found} == {1000}
    assert {e.config.get("batch_size") for e in found} == {4}
    assert "supervised_full" in [e.method for e in entries(
        tmp_path, setting=Setting("shapescenes"))]


def test_the_command_of_a_run(tmp_path):
    setting = dataclasses.replace(CAMVID, iters=40, dataset_root="/data/c",
                                  opts=("num_workers=0",),
                                  flags=("--device=cpu",))
    one, full = entries(tmp_path, ["supervised_full", "unimatch"], [2],
                        setting)
    words = one.command()
    text = " ".join(words)
    assert "--config configs/unimatch/unimatch_camvid_1_32.yml" in text
    assert f"--save_dir {tmp_path}/unimatch_seed2 " in text
    for part in ("--iters 40", "--seed 2", "--save_interval 8", "--do_eval",
                 "--log_iters 8", "--device=cpu", "--resume_model auto",
                 "diagnose_interval=8", "val_dataset.dataset_root=/data/c",
                 "unlabeled_dataset.dataset_root=/data/c", "num_workers=0"):
        assert part in text
    assert words.index("--device=cpu") < words.index("--opts")
    assert one.config.get("train_dataset.dataset_root") == "/data/c"
    assert "diagnose_interval=0" in full.command(), "nothing is unlabelled"


def test_stages_have_the_budget_each_or_share_it(tmp_path):
    each, = entries(tmp_path, ["stpp"])
    assert each.config.get("iters") == 1000 and each.staged
    assert "--resume_model" not in each.command()
    shared, = entries(tmp_path, ["stpp"], setting=dataclasses.replace(
        CAMVID, staged="total"))
    assert shared.config.get("iters") == 333
    assert shared.method == "stpp_shared"
    assert shared.folder.name == "stpp_shared_seed0"
    # What has no stages is the same training in both.
    assert entries(tmp_path, ["cac"], setting=dataclasses.replace(
        CAMVID, staged="total"))[0].folder.name == "cac_seed0"


def test_seed_by_seed(tmp_path):
    assert [e.label for e in entries(tmp_path, ["unimatch", "supervised"],
                                     [1, 0])] == [
        "supervised, seed 1", "unimatch, seed 1", "supervised, seed 0",
        "unimatch, seed 0"]


@pytest.mark.parametrize("names, setting, words", [
    (["unimach"], CAMVID, "did you mean 'unimatch'"),
    (["all"], Setting("camvid", "1_33"), "no configuration .*camvid_1_32"),
    (["all"], Setting("camvit"), "allowed: .*shapescenes"),
])
def test_what_is_refused(tmp_path, names, setting, words):
    with pytest.raises(UserError, match=words):
        entries(tmp_path, names, setting=setting)


def test_unequal_budgets_are_refused(tmp_path):
    for name, more in (("a", {}), ("b", {"batch_size": 8})):
        folder = tmp_path / "configs" / name
        folder.mkdir(parents=True)
        tiny.config(folder, **more)
        (folder / "tiny.yml").rename(folder / f"{name}_toy.yml")
    (tmp_path / "configs" / "supervised").mkdir()
    tiny.config(tmp_path / "configs" / "supervised").rename(
        tmp_path / "configs" / "supervised" / "supervised_toy.yml")
    with pytest.raises(UserError, match="batch_size = 8.* has 2"):
        plan.plan(tmp_path, ["all"], [0], tmp_path / "out", Setting("toy"))
    assert len(plan.plan(tmp_path, ["all"], [0], tmp_path / "out", Setting(
        "toy", opts=("batch_size=3",)))) == 3


def test_a_folder_of_another_training_is_refused(tmp_path):
    one, = entries(tmp_path, ["unimatch"])
    one.check()
    one.folder.mkdir()
    (one.folder / "config.yml").write_text(one.config.dump())
    one.check()
    for setting in (dataclasses.replace(CAMVID, dataset_root="/elsewhere"),
                    dataclasses.replace(CAMVID, opts=("num_workers=7",))):
        entries(tmp_path, ["unimatch"], setting=setting)[0].check()
    with pytest.raises(UserError, match="another iters .1000, and now 40"):
        entries(tmp_path, ["unimatch"], setting=dataclasses.replace(
            CAMVID, iters=40))[0].check()
    with pytest.raises(UserError, match="another method"):
        entries(tmp_path, ["unimatch"], setting=dataclasses.replace(
            CAMVID, opts=("method.conf_thresh=0.9",)))[0].check()

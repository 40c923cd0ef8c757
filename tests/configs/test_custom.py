# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The recipes to copy train a step on folders as docs/own_data.md has them."""

import shutil

import pytest

from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.schema import check_config
from contrib_semiseg.engine import training
from tests.configs.test_every_config import RECIPES, ROOT, name
from tests.configs.test_recipe_steps import small
from tests.datasets.own_files import write_image, write_mask

CUSTOM = [p for p in RECIPES if p.parent.name == "custom"]


@pytest.fixture()
def mine(tmp_path, monkeypatch):
    """A folder with data/own and a copy of the recipes, made current."""
    for i in range(9):
        write_image(tmp_path / f"data/own/images/{i}.jpg", i, (96, 80))
    for i in range(4):
        write_mask(tmp_path / f"data/own/masks/{i}.png", range(11), (96, 80))
    shutil.copytree(ROOT / "configs/custom", tmp_path / "configs/mine")
    shutil.copytree(ROOT / "configs/_base_", tmp_path / "configs/_base_")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_three():
    assert {p.name.split("_own")[0] for p in CUSTOM} == {
        "supervised", "cps_cutmix", "unimatch"}


@pytest.mark.parametrize("path", CUSTOM, ids=name)
def test_a_copied_recipe_trains(path, mine, capfd):
    config = Config.load(f"configs/mine/{path.name}")
    tree = small(config.tree)
    tree.update(num_classes=11, iters=1, batch_size=2, num_workers=0,
                device="cpu", save_dir="run", do_eval=True, save_interval=1)
    tree["model"]["backbone"] = {"type": "SmallResNet", "channels": [8] * 5}
    config.tree = tree
    check_config(config)
    scores = training.train(config)
    assert 0 <= scores["miou"] <= 1
    said = capfd.readouterr().out
    assert "3 labeled images" in said
    assert ("5 unlabeled images" in said) == ("supervised" not in path.name)

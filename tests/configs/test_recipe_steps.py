# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every recipe trains a step, on small pictures and with thin networks."""

import copy

import numpy as np
import pytest

from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.cvlibs.schema import check_config
from contrib_semiseg.engine import training
from contrib_semiseg.models.backbones import resnet
from tests.configs.test_every_config import RECIPES, name
from tests.support import tiny_trees

# Whatever an argument of these names is in a recipe, here it is small.
SMALL = {
    "base_size": 80,
    "target_size": list(tiny_trees.SIZE), "aspp_channels": 8,
    "low_channels": 8, "decoder_channels": 8, "embedding_channels": [8, 8],
    "aux_channels": 8, "channels": 32, "pretrained": None,
    "pretrained_l": None, "pretrained_r": None, "first_bank_rows": 50,
    # All terms of a loss from the first step on.
    "start_epoch": 0, "sup_only_epoch": 0, "warmup_iters": 0,
    "warmup_epochs": 0,
}
STEPS = [p for p in RECIPES if p.parent.name != "custom"]


def small(node):
    """A section with small values."""
    if isinstance(node, dict):
        return {k: [64 + n % 8 % 2 for n in v] if k in ("crop_size", "size")
                else copy.copy(SMALL[k]) if k in SMALL else small(v)
                for k, v in node.items()}
    return [small(v) for v in node] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    tiny_trees.write(folder)
    return folder


@pytest.fixture(autouse=True)
def thin(monkeypatch, folder):
    """Backbones of a block a layer; relative paths are below `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEMISEG_HOME", str(folder))
    monkeypatch.setattr(resnet, "_WIDTHS", (4, 4, 8, 8))
    monkeypatch.setattr(resnet, "_BLOCKS", {50: (1,) * 4, 101: (1,) * 4})


def tiny_config(path, save_dir):
    """A recipe of one step on the small pictures."""
    config = Config.load(path)
    kept = {k: config.tree[k] for k in ("num_classes", "split")
            if k in config.tree}
    tree = small({k: v for k, v in config.tree.items()
                  if k not in ("epochs", "stages", "split")})
    tree.update(kept, iters=1, batch_size=2, num_workers=0, log_iters=1,
                save_dir=str(save_dir), device="cpu")
    if "iters_per_epoch" in tree:
        tree["iters_per_epoch"] = 1
    for section in ("train_dataset", "unlabeled_dataset", "val_dataset"):
        if tree[section]["type"] == "ShapeScenes":
            tree[section].update(size=[80, 80], labeled=3, unlabeled=3, val=1)
        else:
            tree["split"] = tiny_trees.SPLIT
    if tree["model"]["backbone"]["type"] != "ResNet":  # others cannot shrink
        tree["model"]["backbone"] = {"type": "SmallResNet",
                                     "channels": [8] * 5}
    config.tree = tree
    return config


@pytest.mark.parametrize("path", STEPS, ids=name)
def test_recipe_trains(path, tmp_path):
    config = tiny_config(path, tmp_path / "run")
    check_config(config)
    training.train(config)
    assert (tmp_path / "run/iter_1/model.pdparams").is_file()
    builder = Builder(config)
    # What the first step may not have read.
    for part in (builder.unlabeled_dataset(), builder.val_dataset()):
        part.item(0, np.random.default_rng(0))


RECIPE = next(p for p in STEPS if p.name ==
              "fixmatch_deeplabv3plus_resnet101_voc_321x321.yml")


@pytest.mark.parametrize("split, section, said", [
    ("made/tyni", "train_dataset", "train_dataset.split = 'made/tyni' is not "
     "allowed; allowed: made/tiny of data/splits/voc, .*"
     "did you mean 'made/tiny'"),
    (None, "unlabeled_dataset", "unlabeled_dataset.split = null is not")])
def test_a_split_that_is_not_there(tmp_path, split, section, said):
    config = tiny_config(RECIPE, tmp_path)
    config.tree["split"] = split
    check_config(config)
    with pytest.raises(ConfigError, match=said):
        getattr(Builder(config), section)()

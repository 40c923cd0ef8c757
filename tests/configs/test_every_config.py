# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every configuration loads, passes the check and builds, without data."""

import functools
import itertools
import json
import re
from pathlib import Path

import paddle
import pytest
import yaml

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.schema import check_config
from contrib_semiseg.datasets.published_splits import published

ROOT = Path(__file__).resolve().parents[2]
ALL = sorted((ROOT / "configs").rglob("*.yml"))
BASES = [p for p in ALL if "_base_" in p.parts]
MODELS = [p for p in BASES if p.parent.name == "models"]
OWN_KEYS = {"_base_", "split", "epochs", "iters", "method"}


def is_leaf(path):
    """Whether a file only chooses a split of the recipe beside it."""
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = tree.get("_base_")
    return isinstance(base, str) and "split" in tree and set(
        tree) <= OWN_KEYS and (path.parent / base).parent == path.parent


LEAVES = [p for p in ALL if "_base_" not in p.parts and is_leaf(p)]
RECIPES = [p for p in ALL if p not in LEAVES and p not in BASES]
SPLITS = {*((s.dataset, f"{s.source}/{s.name}") for s in published()),
          # made by tools/make_splits.py, as docs/ctt.md says
          ("voc", "ctt/212"), ("cityscapes", "ctt/372")}
PUBLISHED = {"voc": "VOC", "cityscapes": "Cityscapes", "coco": "COCO"}


def load(path):
    return Config.load(path.relative_to(ROOT))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def name(path):
    return str(path.relative_to(ROOT / "configs"))


def without_weights(section):
    """A model section that loads no file."""
    return {k: without_weights(v) if isinstance(v, dict) else v
            for k, v in section.items() if k != "pretrained"}


@functools.lru_cache(maxsize=6)  # neighbouring recipes share networks
def built_model(section, num_classes, number):
    config = Config({"model": json.loads(section),
                     "num_classes": num_classes})
    return Builder(config).make_model()


def maker(section, num_classes):
    """Stands for `make_model`: the first, the second, ... of a network."""
    numbers = itertools.count()

    def make():
        network = built_model(section, num_classes, next(numbers))
        # A method before may have frozen it as its teacher.
        for name, parameter in network.named_parameters():
            parameter.stop_gradient = name.endswith(("_mean", "_variance"))
        return network
    return make


def test_there_are_recipes():
    assert RECIPES and LEAVES and BASES


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_recipe(path):
    config = load(path)
    check_config(config)
    builder = Builder(config)
    model = without_weights(config.tree["model"])
    section = json.dumps(model, sort_keys=True)
    builder.make_model = maker(section, builder.num_classes)
    method = builder.method()
    assert method.eval_network() in method.sublayers()
    optimizer = builder.optimizer()(method, 0.1)
    assert isinstance(optimizer, paddle.optimizer.Optimizer)
    rates = [builder.schedule(100)(step) for step in (0, 50, 99)]
    assert all(rate >= 0 for rate in rates) and max(rates) > 0
    builder.val_transforms()


@pytest.mark.parametrize("path", LEAVES, ids=name)
def test_leaf(path):
    """It is short, and passes the check as its recipe does."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 5
    config = load(path)
    check_config(config)
    assert Builder(config).schedule(100)(50) > 0
    kind = config.get("train_dataset.type")
    if kind not in PUBLISHED.values():
        return
    dataset, = (d for d, k in PUBLISHED.items() if k == kind)
    split = config.get("split")
    assert (dataset, split) in SPLITS, f"{split} is no split of {dataset}"
    assert f"_{dataset}_" in path.name
    # The file says which: 1_8 of list 1 is 1_8_list1.
    word = split.split("/")[1].replace("_all", "")
    words = {word, re.sub(r"_0$", "", word),
             re.sub(r"_(\d)$", r"_list\1", word)}
    assert any(f"_{dataset}_{w}_" in path.name for w in words)


def test_each_recipe_has_its_leaves():
    """And each published recipe none of the splits itself."""
    bases = {(p.parent / yaml.safe_load(p.read_text())["_base_"]).resolve()
             for p in LEAVES}
    for path in RECIPES:
        config = load(path)
        if config.get("train_dataset.type") in PUBLISHED.values():
            assert config.get("split") is None, path
            assert path in bases, path


# The networks are a catalogue of what was published, whether or not a recipe
# takes them; any other base that none takes would be a leftover.
@pytest.mark.parametrize("path", [p for p in BASES if p not in MODELS],
                         ids=name)
def test_every_base_is_used(path):
    assert str(path.relative_to(ROOT)) in used_files()


@functools.cache
def used_files():
    """Files that any recipe takes a value from."""
    return {file for recipe in RECIPES for file in load(recipe).sources()}


@pytest.mark.parametrize("path", MODELS, ids=name)
def test_every_network_is_built(path):
    """With a number of classes that no file states."""
    tree = load(path).tree
    assert list(tree) == ["model"]
    config = Config({"model": without_weights(tree["model"]),
                     "num_classes": 7})
    with paddle.LazyGuard():  # no values: of full size in no time
        network = Builder(config).make_model()
    found = {v.shape[0] for n, v in network.named_parameters()
             if n.startswith("classifier.")}
    assert found == {7}

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every configuration loads, passes the check and builds, without data."""

import functools
import json
from pathlib import Path

import paddle
import pytest

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.schema import check_config

ROOT = Path(__file__).resolve().parents[2]
ALL = sorted((ROOT / "configs").rglob("*.yml"))
RECIPES = [p for p in ALL if "_base_" not in p.parts]
BASES = [p for p in ALL if "_base_" in p.parts]


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


@functools.cache
def built_model(section, num_classes):
    config = Config({"model": json.loads(section),
                     "num_classes": num_classes})
    return Builder(config).make_model()


def test_there_are_recipes():
    assert RECIPES and BASES


@pytest.mark.parametrize("path", RECIPES, ids=name)
def test_recipe(path):
    config = load(path)
    check_config(config)
    builder = Builder(config)
    model = without_weights(config.tree["model"])
    network = built_model(json.dumps(model, sort_keys=True),
                          builder.num_classes)
    # The method around it: its networks are the one network here.
    builder.make_model = lambda: network
    method = builder.method()
    assert method.eval_network() is network
    optimizer = builder.optimizer()(method, 0.1)
    assert isinstance(optimizer, paddle.optimizer.Optimizer)
    rates = [builder.schedule(100)(step) for step in (0, 50, 99)]
    assert all(rate >= 0 for rate in rates) and max(rates) > 0
    builder.val_transforms()


@pytest.mark.parametrize("path", BASES, ids=name)
def test_every_base_is_used(path):
    used = set()
    for recipe in RECIPES:
        config = load(recipe)
        used |= config.sources()
    assert str(path.relative_to(ROOT)) in used

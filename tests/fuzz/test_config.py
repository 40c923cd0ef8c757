# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Configurations and --opts, whatever they hold: a value or one error."""

import copy
import tempfile
from pathlib import Path

import yaml
from hypothesis import strategies as st

import contrib_semiseg.components  # noqa: F401  registers everything
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.schema import PREDICT, check_config
from tests.support import tiny
from tests.support.fuzzing import damaged, outcome, properties

ROOT = Path(__file__).parents[2]
FOLDER = tempfile.TemporaryDirectory()
TINY = yaml.safe_load(tiny.config(Path(FOLDER.name)).read_text())
RECIPES = [path.read_bytes() for path in sorted(
    ROOT.glob("configs/*/*.yml"))[::7]] + [
        b"a: &a {b: 1}\nc: [*a, {<<: *a, d: 'e'}]\n_base_: [base.yml]\n"
        b"f: |\n  g\nh: \"\\u00e4\"\n? i\n: [1.5, .inf, 0x1f, ~]\n"]


def checked(config):
    """What a run does with a configuration before it builds networks."""
    check_config(config)
    builder = Builder(config)
    return builder.optimizer(), builder.schedule(10, 4), builder.criterion()


def load(text, opts=None, check=checked):
    path = Path(FOLDER.name, "fuzz.yml")
    path.write_bytes(text)
    config = outcome(lambda: Config.load(path, opts), path, "--opts")
    if config is not None:
        outcome(lambda: check(config), path, "--opts", "base.yml")
        again = yaml.safe_load(config.dump())
        assert again.keys() == config.tree.keys()
    return config


@properties(150, text=damaged(RECIPES))
def check_damaged_files(text):
    load(text)


test_damaged_files, test_damaged_files_long = check_damaged_files

TOKENS = ["a", "b", "type", "_base_", "_inherited_", "model", "iters", ": ",
          "- ", "\n", "\n  ", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: *x",
          "? ", "!!int ", "!t ", "|\n", ">\n ", "'", '"', "#", "\t", "---\n",
          "...\n", "%YAML 1.1\n", "\0", "\ufeff", "\u2028", "\\ud800", "1e5",
          "9" * 30, "0x", ".nan", "~", "null", "true", "=", "@", "`",
          "fuzz.yml"]


@properties(200, parts=st.lists(st.one_of(st.sampled_from(TOKENS), st.text(
    max_size=3)), max_size=30))
def check_texts(parts):
    load("".join(parts).encode("utf-8", "surrogatepass"))


test_texts, test_texts_long = check_texts

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["type", "auto", "gpu:\u00b2", "..", "/", "{split}", 2**70,
                     -1, 0, 1, 255, 1e300, "CPSCutMix", "SmallResNet",
                     "Normalize", "BoxMask", "PolyLR", "SGD"]))
VALUES = st.recursive(PLAIN, lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.one_of(st.text(max_size=5), st.sampled_from(
        ["type", "coef", "types", "a.b", ""]), st.integers(0, 3)), inner,
        max_size=3)), max_leaves=6)


def places(tree, where=()):
    """All paths to the values of a tree."""
    items = tree.items() if isinstance(tree, dict) else (
        enumerate(tree) if isinstance(tree, list) else ())
    for key, value in items:
        yield (*where, key)
        yield from places(value, (*where, key))


PLACES = sorted(places(TINY), key=str)


def replaced(place, value, key):
    tree = copy.deepcopy(TINY)
    node = tree
    for part in place[:-1]:
        node = node[part]
    if key is None or isinstance(node, list):
        node[place[-1]] = value
    else:
        node[key] = node.pop(place[-1])
    return tree


@properties(300, place=st.sampled_from(PLACES), value=VALUES,
            key=st.one_of(st.none(), st.none(), st.text(max_size=5)))
def check_values(place, value, key):
    config = Config(replaced(place, value, key), "fuzz.yml")
    outcome(lambda: checked(config), "fuzz.yml")


test_values, test_values_long = check_values

SHORT = {key: TINY[key] for key in ("batch_size", "model", "lr_scheduler")}
SHORT["train_dataset"] = {"type": "ShapeScenes", "transforms": [
    {"type": "Normalize"}]}
SHORT = yaml.safe_dump(SHORT).encode()

KEYS = st.one_of(
    st.sampled_from([".".join(map(str, place)) for place in PLACES]),
    st.lists(st.one_of(st.sampled_from(
        ["model", "type", "transforms", "0", "9" * 40, "\u00b2", "-1", ""]),
        st.text(max_size=4)), max_size=4).map(".".join))
TEXTS = st.one_of(
    st.text(max_size=10), st.lists(st.sampled_from(TOKENS), max_size=6).map(
        "".join), VALUES.map(lambda v: yaml.safe_dump(
            v, default_flow_style=True)))


@properties(200, options=st.lists(st.one_of(
    st.tuples(KEYS, TEXTS).map("=".join), TEXTS), min_size=1, max_size=3))
def check_options(options):
    load(SHORT, options, lambda config: check_config(config, PREDICT))


test_options, test_options_long = check_options

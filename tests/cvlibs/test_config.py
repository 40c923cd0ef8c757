# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files, bases, options and flags become one tree."""

import pytest

from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files into an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def add(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return add


def refused(path, *said, opts=None, flags=None):
    with pytest.raises(ConfigError) as caught:
        Config.load(path, opts, flags)
    message = str(caught.value)
    assert "\n" not in message
    for part in said:
        assert part in message, message


def test_a_file_overrides_its_base(write):
    write("base.yml", "seed: 1\nmodel: {type: A, width: 3, depth: [1, 2]}\n")
    path = write("c.yml", "_base_: base.yml\n"
                 "model: {depth: [5], backbone: {type: B}}\n")
    config = Config.load(path)
    assert config.tree == {
        "seed": 1, "model": {"type": "A", "width": 3, "depth": [5],
                             "backbone": {"type": "B"}}}
    assert config.origin("model.width") == "base.yml"
    assert config.origin("model.depth") == "c.yml"
    assert config.origin("model.depth.0") == "c.yml"
    assert config.origin("model") == "base.yml"
    assert config.origin("nothing") == "c.yml"


def test_bases_are_found_from_the_file_that_names_them(write):
    write("deep/root.yml", "seed: 7\n")
    write("deep/mid.yml", "_base_: root.yml\niters: 3\n")
    path = write("c.yml", "_base_: [deep/mid.yml]\n")
    config = Config.load(path)
    assert config.tree == {"seed": 7, "iters": 3}
    assert config.origin("seed") == "deep/root.yml"


def test_another_type_empties_the_section(write):
    write("base.yml", "method: {type: CPS, cps_weight: 1}\n")
    path = write("c.yml", "_base_: base.yml\nmethod: {type: Supervised}\n")
    assert Config.load(path).tree["method"] == {"type": "Supervised"}
    same = write("d.yml", "_base_: base.yml\nmethod: {type: CPS, x: 2}\n")
    assert Config.load(same).tree["method"] == {
        "type": "CPS", "cps_weight": 1, "x": 2}


def test_inherited_false_empties_the_section(write):
    write("base.yml", "a: {x: 1, y: 2}\n")
    path = write("c.yml", "_base_: base.yml\n"
                 "a: {_inherited_: False, z: 3}\nb: {_inherited_: false}\n")
    assert Config.load(path).tree == {"a": {"z": 3}, "b": {}}
    bad = write("d.yml", "_base_: base.yml\na: {_inherited_: 3}\n")
    refused(bad, "d.yml: a._inherited_", "true, false")


@pytest.mark.parametrize("base", ["a: 3", "a: null", "a: [1]"])
def test_a_section_replaces_a_plain_value(write, base):
    write("base.yml", base + "\n")
    path = write("c.yml", "_base_: base.yml\na: {x: 1}\n")
    assert Config.load(path).tree == {"a": {"x": 1}}


def test_iters_and_epochs_replace_each_other(write):
    write("base.yml", "epochs: 80\n")
    path = write("c.yml", "_base_: base.yml\niters: 10\n")
    assert Config.load(path).tree == {"iters": 10}
    assert Config.load("base.yml", ["iters=5"]).tree == {"iters": 5}
    assert Config.load("base.yml", flags={"iters": 6}).tree == {"iters": 6}
    for given in ({"iters": 6, "epochs": 2}, {"epochs": 2, "iters": 6}):
        assert Config.load("base.yml", flags=given).tree == given
    both = write("d.yml", "epochs: 1\niters: 10\n")
    assert Config.load(both).tree == {"epochs": 1, "iters": 10}


def test_bases_must_be_disjoint(write):
    write("one.yml", "batch_size: 8\nmodel: {type: A, n: 1}\n")
    write("two.yml", "batch_size: 16\n")
    path = write("c.yml", "_base_: [one.yml, two.yml]\nbatch_size: 2\n")
    refused(path, "c.yml", "one.yml", "two.yml", "batch_size", "8 and 16")
    write("two.yml", "model: {n: true}\n")
    refused(path, "model.n", "1 and true")
    write("two.yml", "model: 3\n")
    refused(path, "model", "a section and 3")
    write("two.yml", "batch_size: 8\nmodel: {m: 2}\n")
    assert Config.load(path).tree == {
        "batch_size": 2, "model": {"type": "A", "n": 1, "m": 2}}


def test_order_of_bases_does_not_matter(write):
    write("one.yml", "a: {x: 1}\n")
    write("two.yml", "a: {y: 2}\n")
    first = write("c.yml", "_base_: [one.yml, two.yml]\n")
    second = write("d.yml", "_base_: [two.yml, one.yml]\n")
    assert Config.load(first).tree == Config.load(second).tree


def test_wrong_bases(write):
    write("camvid_semi.yml", "seed: 1\n")
    path = write("c.yml", "_base_: camvid_smi.yml\n")
    refused(path, "c.yml: _base_ = 'camvid_smi.yml'", "does not exist",
            "did you mean 'camvid_semi.yml'?")
    path = write("c.yml", "_base_: nowhere/x.yml\n")
    refused(path, "c.yml", "no folder nowhere")
    path = write("c.yml", "_base_: 3\n")
    refused(path, "c.yml: _base_ = 3", "allowed")
    write("a.yml", "_base_: b.yml\n")
    write("b.yml", "_base_: a.yml\n")
    refused("a.yml", "circle", "a.yml -> b.yml -> a.yml")


def test_wrong_paths(write, tmp_path):
    write("camvid.yml", "seed: 1\n")
    refused("camvd.yml", "camvd.yml does not exist",
            "did you mean 'camvid.yml'?")
    (tmp_path / "folder.yml").mkdir()
    refused("folder.yml", "folder.yml is a folder")


def test_options_override_files(write):
    path = write("c.yml", "seed: 1\nts: [{type: A, p: 1}, {type: B}]\nn: ~\n")
    config = Config.load(path, [
        "seed=2", "ts.0.p=1e-4", "n.x=[1, 2]", "save=a=b", "split=1_8",
        "flag=false", "none=null", "s={type: T, k: 1}", "s.k=2"])
    assert config.tree == {
        "seed": 2, "ts": [{"type": "A", "p": 1e-4}, {"type": "B"}],
        "n": {"x": [1, 2]}, "save": "a=b", "split": "1_8", "flag": False,
        "none": None, "s": {"type": "T", "k": 2}}
    assert config.origin("ts.0.p") == config.origin("n.x") == "--opts"
    assert config.origin("ts.1.type") == path


def test_an_option_that_changes_a_type_acts_first(write):
    path = write("c.yml", "method: {type: A, x: 1}\n")
    config = Config.load(path, ["method.y=2", "method.type=B"])
    assert config.tree == {"method": {"y": 2, "type": "B"}}
    config = Config.load(path, ["method={y: 2, type: B}"])
    assert config.tree == {"method": {"y": 2, "type": "B"}}
    assert Config.load(path, ["method.type=A"]).tree == {
        "method": {"type": "A", "x": 1}}


def test_an_option_changes_one_of_two_aliases(write):
    path = write("c.yml", "a: {t: &t [{p: 1}]}\nb: {t: *t}\n")
    config = Config.load(path, ["a.t.0.p=2"])
    assert config.tree == {"a": {"t": [{"p": 2}]}, "b": {"t": [{"p": 1}]}}


@pytest.mark.parametrize("option, said", [
    ("seed", "key=value"), ("=1", "key=value"), ("a..b=1", "key=value"),
    ("seed=[1", "--opts: seed = '[1' is no YAML value"),
    ("seed.x=1", "seed = 1 is no section"),
    ("ts.2.p=1", "'2' is no index of a list of 2; allowed: 0 to 1"),
    ("ts.p=1", "'p' is no index"),
])
def test_wrong_options(write, option, said):
    path = write("c.yml", "seed: 1\nts: [{}, {}]\n")
    refused(path, "--opts", said, opts=[option])


def test_a_flag_not_given_never_beats_the_file(write):
    path = write("c.yml", "seed: 1\nlr_scheduler: {learning_rate: 0.1}\n"
                 "do_eval: true\n")
    flags = {"seed": None, "learning_rate": None, "do_eval": None}
    assert Config.load(path, flags=flags).tree == Config.load(path).tree


def test_flags_override_options(write):
    path = write("c.yml", "seed: 1\nlr_scheduler: {learning_rate: 0.1}\n")
    config = Config.load(path, ["seed=2"], {
        "seed": 0, "learning_rate": 0.0, "is_slide": True})
    assert config.tree == {"seed": 0, "lr_scheduler": {"learning_rate": 0.0},
                           "test_config": {"is_slide": True}}
    assert config.origin("seed") == "--seed"
    assert config.origin("lr_scheduler.learning_rate") == "--learning_rate"


def test_get_error_and_dump(write):
    path = write("c.yml", "a: {b: [1, {c: x}]}\n")
    config = Config.load(path)
    assert config.get("a.b.1.c") == "x"
    assert config.get("a.b.2", 5) == 5
    assert str(config.error("a.b.1.c", "is bad")) == "c.yml: a.b.1.c = 'x' " \
        "is bad"
    assert str(config.error("a.z", "is missing")) == "c.yml: a.z is missing"
    write("d.yml", config.dump())
    assert Config.load("d.yml").tree == config.tree

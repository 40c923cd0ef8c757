# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Configurations that mean harm: refused at once, in little memory."""

import os

import pytest

from contrib_semiseg.cvlibs import yaml_text
from contrib_semiseg.cvlibs.check import Range
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.cvlibs.schema import Device
from tests.support.fuzzing import in_time
from tests.support.hostile import little_memory

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi"))
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 10)}]}}\n"
    for old, new in zip("abcdefgh", "bcdefghi"))


def load(tmp_path, text, opts=None):
    path = tmp_path / "c.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with in_time(10), little_memory():
        return Config.load(path, opts)


@pytest.mark.parametrize("text, said", [
    (LAUGHS, "line 4: it has more than 10000 values"),
    (MERGED, "it has more than 10000 values"),
    ("a: " + "[" * 2000, "line 1: it is more than 50 levels deep"),
    ("a: " + "{b: " * 5000, "line 1: it is more than 50 levels deep"),
    ("".join(" " * i + "a:\n" for i in range(300)),
     "line 50: it is more than 50 levels deep"),
    ("- " * 5000, "line 1: it is more than 50 levels deep"),
    ("a: &a [1, *a]", "line 1: *a stands within itself"),
    ("a: &a {b: [*a]}", "line 1: *a stands within itself"),
    ("a: " + "x" * (1 << 18), "larger than 262144 bytes"),
    ("a: " + "9" * 5000, "line 1: the number is too large"),
    ("a: 9223372036854775808", "line 1: the number is too large"),
    ("a: 0x" + "f" * 5000, "line 1: the number is too large"),
    ("a: !!timestamp x", "line 1: the tag tag:yaml.org,2002:timestamp"),
    ("a: !!python/object/apply:os.system [true]", "line 1: the tag"),
    ("a: ! x", "line 1: the tag !"),
    ('_base_: "a\\0b"', "line 1: a text holds a character"),
    ('a: "\\ud800"', "line 1: a text holds a character"),
    ("1: a", "line 1: a key must be a text"),
    ("? ", "line 1: a key must be a text"),
    ("_base_: [" + "c.yml, " * 51 + "]", "more than 50 files"),
])
def test_files(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert str(tmp_path / "c.yml") in message and said in message, message
    assert len(message) < 400


def test_what_is_just_within_the_limits(tmp_path):
    text = "a: " + "[" * 48 + "]" * 48 + "\nb: 9223372036854775807\n"
    assert load(tmp_path, text).tree["b"] == 2**63 - 1
    path = tmp_path / "c.yml"
    path.write_text("a: [" + "1," * 9_990 + "]\n")
    assert len(Config.load(path).tree["a"]) == 9_990


def test_what_an_alias_repeats_is_changed_alone(tmp_path):
    config = load(tmp_path, "a: [&x {b: 1}, *x]\n", ["a.0.b=2"])
    assert config.tree == {"a": [{"b": 2}, {"b": 1}]}


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "c.yml")
    with in_time(10), pytest.raises(ConfigError, match="c.yml does not exist"):
        Config.load(tmp_path / "c.yml")


def test_bases_that_multiply_are_read_once(tmp_path):
    for i in range(30):
        (tmp_path / f"{i}.yml").write_text(
            f"_base_: [{i + 1}.yml, ./{i + 1}.yml]\nseed: {i}\n")
    (tmp_path / "30.yml").write_text("iters: 3\n")
    assert load(tmp_path, "_base_: 0.yml\n").tree == {"iters": 3, "seed": 0}


def test_a_long_chain_of_bases(tmp_path):
    for i in range(60):
        (tmp_path / f"{i}.yml").write_text(f"_base_: {i + 1}.yml\n")
    with pytest.raises(ConfigError, match="more than 50 files"):
        load(tmp_path, "_base_: 0.yml\n")


@pytest.mark.parametrize("option, said", [
    (".".join("a" * 20_000) + "=1", "--opts: 'a.a.a"),
    ("a.\u00b2=1", "is no index of a list of 1"),
    ("a." + "9" * 150 + "=1", "is no index of a list of 1"),
    ("a=" + "[" * 2000, "--opts: a = '[[["),
    ("a=" + "9" * 5000, "the number is too large"),
    ("a=!!bool x", "the tag"),
    ("a=\0", "--opts: a = "),
])
def test_options(tmp_path, option, said):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "a: [1]\n", [option])
    message = str(caught.value)
    assert message.startswith("--opts: ") and said in message, message
    assert "\n" not in message and len(message) <= 4000


def test_numbers_beyond_floats_are_compared():
    assert not Range(0, 1).accepts(10**400)
    assert Range(0).accepts(10**400)
    assert not Range(0).accepts(float("inf"))


@pytest.mark.parametrize("name", ["gpu:\u00b2", "gpu:\u0663",
                                  "gpu:" + "9" * 99])
def test_a_device_has_a_plain_number(name):
    assert not Device().accepts(name) and Device().accepts("gpu:1")


def test_a_value_is_checked_like_a_file():
    with in_time(10), pytest.raises(ConfigError, match="more than 10000"):
        yaml_text.load_value(
            "{" + LAUGHS.strip().replace("\n", ", ") + "}", "--opts: a")

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""YAML without its surprises."""

import pytest

from contrib_semiseg.cvlibs import yaml_text
from contrib_semiseg.cvlibs.errors import ConfigError


@pytest.mark.parametrize("text, value", [
    ("1e-4", 1e-4), ("4.0e-5", 4e-5), ("-1E3", -1000.0), (".5", 0.5),
    ("12", 12), ("-3", -3), ("010", 10), ("0x1F", 31), ("1.", 1.0),
    ("1_8", "1_8"), ("1_000.5", "1_000.5"), ("12:30", "12:30"),
    ("2020-01-01", "2020-01-01"), ("true", True), ("False", False),
    ("null", None), ("", None), ("'1'", "1"), ("[1, 2e1]", [1, 20.0]),
    ("e5", "e5"), ("{a: b}", {"a": "b"}),
])
def test_values(text, value):
    read = yaml_text.load_value(text, "--opts: x")
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize("text, said", [
    ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands here and in line 1"),
    ("a:\n  b: 1\n  b: 1\n", "line 3: the key 'b'"),
    ("a: 1\n\tb: 2\n", "line 2: a tab cannot indent"),
    ("a: [1, 2\nb: 3\n", "line 2"),
    ("a: b: c\n", "line 1"),
    ("? [1]\n: 2\n", "line 1: a key must be"),
    ("- a\n", "no `key: value` lines"),
    ("", "no `key: value` lines"),
    ("a: !!python/object/apply:os.getcwd []\n", "line 1"),
])
def test_mistakes(tmp_path, text, said):
    path = tmp_path / "c.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        yaml_text.load_file(str(path))
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    assert said in message, message


def test_not_a_text(tmp_path):
    path = tmp_path / "c.yml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        yaml_text.load_file(str(path))


def test_merge_keys_may_be_overridden(tmp_path):
    path = tmp_path / "c.yml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert yaml_text.load_file(str(path))["b"] == {"x": 3, "y": 2}

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A safe YAML reader without the surprises of YAML 1.1.

`1e-4` is a number, `1_8` is a text (YAML 1.1 reads 18), `2020-01-01` is a
text, and a key that stands twice in one mapping is an error. Tags (`!!...`)
are errors, too, and so is what no configuration needs but could fill the
memory: depth, size, and aliases that multiply it.
"""

import re

import yaml

from contrib_semiseg.cvlibs.errors import ConfigError, one_line

_INT = re.compile(r"^[-+]?[0-9]+$|^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"
                    r"|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$")
_REPLACED = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
             "tag:yaml.org,2002:timestamp")
_MOST_BYTES = 1 << 18
_MOST_NODES = 10_000  # keys and values, an alias counting as what it repeats
_MOST_DEPTH = 50
_MOST_INT, _MOST_DIGITS = 1 << 63, 32
_NO_TEXT = re.compile("[\\0\ud800-\udfff]")


def _refuse(problem, mark):
    raise yaml.constructor.ConstructorError(problem=problem,
                                            problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 numbers, within limits, no key repeated."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers
                if tag not in _REPLACED]
        for first, resolvers in
        yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream):
        super().__init__(stream)
        self._depth = self._count = 0
        self._sizes = {}

    def compose_node(self, parent, index):
        event = self.peek_event()
        if getattr(event, "tag", None) is not None:
            _refuse(f"the tag {event.tag} is not allowed; allowed: values "
                    "without a tag", event.start_mark)
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            _refuse(f"it is more than {_MOST_DEPTH} levels deep",
                    event.start_mark)
        before = self._count
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent):
            self._count += 1
            self._sizes[id(node)] = self._count - before
        elif id(node) in self._sizes:
            self._count += self._sizes[id(node)]
        else:
            _refuse(f"*{event.anchor} stands within itself", event.start_mark)
        if self._count > _MOST_NODES:
            _refuse(f"it has more than {_MOST_NODES} values",
                    event.start_mark)
        return node

    def compose_scalar_node(self, anchor):
        node = super().compose_scalar_node(anchor)
        if _NO_TEXT.search(node.value):
            _refuse("a text holds a character that no name can have",
                    node.start_mark)
        return node

    def construct_mapping(self, node, deep=False):
        seen = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                _refuse("a key must be a text; others need quotes",
                        key.start_mark)
            if name in seen:
                _refuse(f"the key {name!r} stands here and in line "
                        f"{seen[name] + 1}; keep one", key.start_mark)
            seen[name] = key.start_mark.line
        return super().construct_mapping(node, deep)


def _construct_int(loader, node):
    text = loader.construct_scalar(node)
    value = int(text, 16 if text.startswith("0x") else 10) \
        if len(text) <= _MOST_DIGITS else _MOST_INT
    if abs(value) >= _MOST_INT:
        _refuse("the number is too large; allowed: 63 bits", node.start_mark)
    return value


_Loader.add_implicit_resolver(_REPLACED[0], _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_REPLACED[1], _FLOAT, list("-+0123456789."))
_Loader.add_constructor(_REPLACED[0], _construct_int)


def _explain(error):
    problem = getattr(error, "problem", None) or str(error)
    if "'\\t'" in problem:
        problem = "a tab cannot indent; use spaces"
    return " ".join(problem.split())


def _unshared(tree):
    """A copy in which what an alias repeated is there as often."""
    if isinstance(tree, dict):
        return {key: _unshared(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_unshared(value) for value in tree]
    return tree


def _load(text):
    return _unshared(yaml.load(text, Loader=_Loader))


def load_file(path):
    """Return the mapping that the YAML file `path` holds.

    Raises: ConfigError naming file and line.
    """
    try:
        with open(path, "rb") as f:
            data = f.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ConfigError(f"{path} is larger than {_MOST_BYTES} bytes; "
                              "allowed: a configuration")
        tree = _load(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no UTF-8 text; allowed: a YAML file") \
            from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") \
            from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: {_explain(error)}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds no `key: value` lines; allowed: a "
                          "configuration in YAML")
    return tree


def load_value(text, said_by):
    """Return the value of one line of YAML; `said_by` opens an error."""
    try:
        return _load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{said_by} = {one_line(text, 80)!r} is no YAML "
                          f"value: {_explain(error)}") from error

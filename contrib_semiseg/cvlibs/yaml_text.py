# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A safe YAML reader without the surprises of YAML 1.1.

`1e-4` is a number, `1_8` is a text (YAML 1.1 reads 18), `2020-01-01` is a
text, and a key that stands twice in one mapping is an error.
"""

import re

import yaml

from contrib_semiseg.cvlibs.errors import ConfigError

_INT = re.compile(r"^[-+]?[0-9]+$|^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"
                    r"|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$")
_REPLACED = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
             "tag:yaml.org,2002:timestamp")


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 numbers and without repeated keys."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers
                if tag not in _REPLACED]
        for first, resolvers in
        yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node, deep=False):
        seen = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if isinstance(name, (list, dict)):
                raise yaml.constructor.ConstructorError(
                    problem="a key must be a text or a number",
                    problem_mark=key.start_mark)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {name!r} stands here and in line "
                    f"{seen[name] + 1}; keep one",
                    problem_mark=key.start_mark)
            seen[name] = key.start_mark.line
        return super().construct_mapping(node, deep)


def _construct_int(loader, node):
    text = loader.construct_scalar(node)
    return int(text, 16 if text.startswith("0x") else 10)


_Loader.add_implicit_resolver(_REPLACED[0], _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_REPLACED[1], _FLOAT, list("-+0123456789."))
_Loader.add_constructor(_REPLACED[0], _construct_int)


def _explain(error):
    problem = getattr(error, "problem", None) or str(error)
    if "'\\t'" in problem:
        problem = "a tab cannot indent; use spaces"
    return " ".join(problem.split())


def load_file(path):
    """Return the mapping that the YAML file `path` holds.

    Raises: ConfigError naming file and line.
    """
    try:
        with open(path, encoding="utf-8") as f:
            tree = yaml.load(f, Loader=_Loader)
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
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{said_by} = {text!r} is no YAML value: "
                          f"{_explain(error)}") from error

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Configuration files: YAML with `_base_`, `--opts` and flags on top.

A file overrides its bases, `--opts` overrides the files, and a flag that was
given overrides both. Bases of one file must not set one leaf differently, so
their order never matters. A section that names another `type` than the one
it inherits starts empty: the keys of the old type would not fit. So does a
section with `_inherited_: false`. Lists replace lists. Stating `iters` drops
inherited `epochs`, and the other way round.
"""

import copy
import os

import yaml

from contrib_semiseg.cvlibs import yaml_text
from contrib_semiseg.cvlibs.errors import ConfigError, nearest, one_line

# Flags that do not carry the name of a top-level key.
FLAG_KEYS = {
    "learning_rate": "lr_scheduler.learning_rate",
    **{name: f"test_config.{name}" for name in (
        "is_slide", "crop_size", "stride", "aug_eval", "scales",
        "flip_horizontal", "flip_vertical")},
}
_MOST_FILES = 50  # of one configuration
_LONGEST_KEY = 200  # characters of a dotted key
# Stating one of a pair replaces an inherited other.
_EXCLUSIVE = {"iters": "epochs", "epochs": "iters"}


class _Leaf:
    """A value that is not a mapping, and the file that set it."""

    def __init__(self, value, source):
        self.value, self.source = value, source


def show(value):
    """Return `value` in one short line, spelt as in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _leaves_of(tree, source):
    if isinstance(tree, dict):
        return {k: _leaves_of(v, source) for k, v in tree.items()}
    return _Leaf(tree, source)


def _type_of(node):
    leaf = node.get("type")
    return leaf.value if isinstance(leaf, _Leaf) else None


def _overlay(base, child, where=()):
    """Return `base` with `child` on top; both are trees of _Leaf."""
    if not isinstance(child, dict):
        return child
    inherited = child.get("_inherited_", _Leaf(True, ""))
    if not isinstance(inherited, _Leaf) or \
            not isinstance(inherited.value, bool):
        raise ConfigError(f"{'.'.join(where)}._inherited_ is not allowed; "
                          "allowed: true, false")
    own_type = _type_of(child)
    if not isinstance(base, dict) or not inherited.value or (
            own_type is not None and _type_of(base) not in (None, own_type)):
        base = {}
    merged = dict(base)
    if not where:
        for name, other in _EXCLUSIVE.items():
            if name in child and other not in child:
                merged.pop(other, None)
    for key, value in child.items():
        if key != "_inherited_":
            merged[key] = _overlay(base.get(key), value, (*where, str(key)))
    return merged


def _first_leaf(node):
    while isinstance(node, dict):
        node = next(iter(node.values()), _Leaf({}, ""))
    return node


def _join_bases(first, second, user, where=()):
    """Return the union of two bases; a leaf set differently is an error."""
    if isinstance(first, _Leaf) and isinstance(second, _Leaf) and \
            first.value == second.value and \
            isinstance(first.value, bool) == isinstance(second.value, bool):
        return first
    if isinstance(first, dict) and isinstance(second, dict):
        joined = dict(first)
        for key, value in second.items():
            joined[key] = (value if key not in first else _join_bases(
                first[key], value, user, (*where, str(key))))
        return joined
    one, two = _first_leaf(first), _first_leaf(second)
    shown = [show(n.value) if isinstance(n, _Leaf) else "a section"
             for n in (first, second)]
    raise ConfigError(
        f"{user}: its bases {one.source} and {two.source} both set "
        f"{'.'.join(where)} ({shown[0]} and {shown[1]}); keep it in one base")


def _missing_file(path, said_by):
    folder, name = os.path.split(path)
    parent = folder or "."
    if not os.path.isdir(parent):
        return ConfigError(f"{said_by}: there is no folder {parent}")
    names = [n for n in os.listdir(parent) if n.endswith((".yml", ".yaml"))]
    what = "is a folder" if os.path.isdir(path) else "does not exist"
    return ConfigError(f"{said_by}: {path} {what}; allowed: a YAML file"
                       f"{nearest(name, names)}")


def is_index(key):
    """Whether a part of a dotted key can be the place in a list."""
    return key.isascii() and key.isdigit() and len(key) < 10


def _read(path, said_by, chain=(), known=None):
    """Load one file with its bases into a tree of _Leaf.

    `known` {real path: tree} keeps the files that were read already.
    """
    known = {} if known is None else known
    real = os.path.realpath(path)
    if real in [os.path.realpath(p) for p in chain]:
        raise ConfigError(f"{said_by}: the bases form a circle: "
                          + " -> ".join([*chain, path]))
    if not os.path.isfile(path):
        raise _missing_file(path, said_by)
    if real not in known:
        if len(known) + len(chain) >= _MOST_FILES:
            raise ConfigError(f"{said_by}: more than {_MOST_FILES} files")
        known[real] = _read_new(path, chain, known)
    return known[real]


def _read_new(path, chain, known):
    tree = yaml_text.load_file(path)
    bases = tree.pop("_base_", None) or []
    bases = bases if isinstance(bases, list) else [bases]
    if len(bases) > _MOST_FILES:
        raise ConfigError(f"{path}: _base_ names more than {_MOST_FILES} "
                          "files")
    merged = {}
    for base in bases:
        if not isinstance(base, str):
            raise ConfigError(f"{path}: _base_ = {show(base)} is not allowed; "
                              "allowed: a file name or a list of them")
        below = os.path.normpath(os.path.join(os.path.dirname(path), base))
        node = _read(below, f"{path}: _base_ = {show(base)}", (*chain, path),
                     known)
        merged = _join_bases(merged, node, path)
    try:
        return _overlay(merged, _leaves_of(tree, path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _strip(node, origins, where=()):
    """Return the plain tree; fill `origins` with {path: source}."""
    if isinstance(node, dict):
        return {k: _strip(v, origins, (*where, str(k)))
                for k, v in node.items()}
    origins[where] = node.source
    return copy.deepcopy(node.value)


def _parse_option(text):
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or "" in key.split(".") or len(key) > _LONGEST_KEY:
        raise ConfigError(f"--opts: {one_line(text, 80)!r} is not allowed; "
                          "allowed: key=value, for example batch_size=4 or "
                          "train_dataset.transforms.0.prob=0.3")
    return key, yaml_text.load_value(value, f"--opts: {key}")


class Config:
    """A merged configuration that knows where each value came from.

    Args:
        tree (dict): the values.
        path (str): the file; named in errors.
        origins (dict, optional): {tuple of keys: source} of the leaves.
    """

    def __init__(self, tree, path="config", origins=None):
        self.tree, self.path = tree, path
        self._origins = dict(origins or {})

    @classmethod
    def load(cls, path, opts=None, flags=None):
        """Read `path` with its bases, then put options and flags on top.

        Args:
            path (str): YAML file.
            opts (list[str], optional): "a.b=c" items; a value is YAML.
            flags (dict, optional): {flag name: value}; None = not given.
        Raises: ConfigError.
        """
        origins = {}
        path = os.fspath(path)
        tree = _strip(_read(path, "--config"), origins)
        config = cls(tree, path, origins)
        config._override([_parse_option(o) for o in opts or []], "--opts")
        given = [(FLAG_KEYS.get(k, k), v, f"--{k}")
                 for k, v in (flags or {}).items() if v is not None]
        if config.get("lr_scheduler.reference_batch") is not None and \
                (flags or {}).get("learning_rate") is not None:
            # A rate given by hand is meant as it is.
            given.append(("lr_scheduler.reference_batch", None,
                          "--learning_rate"))
        together = [key for key, _, _ in given]
        for key, value, source in given:
            config._override([(key, value)], source, together)
        return config

    def get(self, dotted, default=None):
        """Return the value at "a.b.0.c", or `default`."""
        node = self.tree
        for key in dotted.split("."):
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and is_index(key) and \
                    int(key) < len(node):
                node = node[int(key)]
            else:
                return default
        return node

    def origin(self, dotted):
        """Return who set `dotted`: a file, "--opts" or "--batch_size"."""
        where = tuple(dotted.split("."))
        for end in range(len(where), 0, -1):
            if where[:end] in self._origins:
                return self._origins[where[:end]]
        below = [p for p in self._origins if p[:len(where)] == where]
        if (*where, "type") in below:
            return self._origins[(*where, "type")]
        return self._origins[below[0]] if below else self.path

    def sources(self):
        """Return the set of files, flags and "--opts" that set anything."""
        return set(self._origins.values())

    def error(self, dotted, text):
        """Return a ConfigError: "FILE: key = value <text>"."""
        value = self.get(dotted, self)
        shown = "" if value is self or isinstance(value, dict) else \
            f" = {show(value)}"
        return ConfigError(f"{self.origin(dotted)}: {dotted}{shown} {text}")

    def dump(self):
        """Return the merged tree as YAML text, without `_base_`."""
        return yaml.safe_dump(self.tree, sort_keys=False, allow_unicode=True)

    def _override(self, pairs, source, together=()):
        stated = {key for key, _ in pairs} | set(together)
        # A changed type empties its section, so types go first, outer ones
        # before inner ones.
        pairs = sorted(pairs, key=lambda kv: (
            not kv[0].endswith("type"),
            kv[0].count(".") if kv[0].endswith("type") else 0))
        for dotted, value in pairs:
            other = _EXCLUSIVE.get(dotted)
            if other is not None and other not in stated:
                self.tree.pop(other, None)
                self._forget((other,))
            self._set(tuple(dotted.split(".")), value, source)

    def _forget(self, where):
        for path in [p for p in self._origins if p[:len(where)] == where]:
            del self._origins[path]

    def _set(self, where, value, source):
        node = self.tree
        for depth, key in enumerate(where[:-1]):
            node = self._step(node, key, where, depth, source)
        key = where[-1]
        if isinstance(node, list):
            key = self._index(node, key, where, source)
        elif key == "type" and node.get("type", value) != value:
            node.clear()
            self._forget(where[:-1])
        old = node[key] if isinstance(node, list) else node.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            for name in sorted(value, key=lambda k: k != "type"):
                self._set((*where, str(name)), value[name], source)
            return
        self._forget(where)
        node[key] = value
        self._origins[where] = source

    def _step(self, node, key, where, depth, source):
        if isinstance(node, list):
            return node[self._index(node, key, where, source)]
        below = node.get(key)
        if below is None:
            below = node[key] = {}
            self._forget(where[:depth + 1])
        if not isinstance(below, (dict, list)):
            raise ConfigError(
                f"{source}: {'.'.join(where)} cannot be set: "
                f"{'.'.join(where[:depth + 1])} = {show(below)} is no section")
        return below

    def _index(self, node, key, where, source):
        if not is_index(key) or int(key) >= len(node):
            raise ConfigError(
                f"{source}: {'.'.join(where)}: {key!r} is no index of a list "
                f"of {len(node)}; allowed: "
                + (f"0 to {len(node) - 1}" if node else "none"))
        return int(key)

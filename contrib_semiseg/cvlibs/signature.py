# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which arguments a component takes, read off its constructor.

Many components of PaddleSeg are functions such as `ResNet50_vd(**args)`; the
arguments then are those of the call that the `**args` go to.
"""

import ast
import functools
import inspect
import textwrap
from typing import Any, NamedTuple, Optional

from contrib_semiseg.cvlibs import check

REQUIRED = inspect.Parameter.empty


class Argument(NamedTuple):
    """One argument: its default (REQUIRED if none) and its Check."""

    default: Any
    check: Optional[check.Check]


class Signature(NamedTuple):
    """All arguments by name; `is_open`: others may be given, too."""

    arguments: dict
    is_open: bool


def _plain_function(component):
    init = component.__init__ if inspect.isclass(component) else component
    return inspect.unwrap(init)


def _next_init(cls):
    """The `__init__` that `super().__init__` reaches inside cls.__init__."""
    owners = [c for c in cls.__mro__ if "__init__" in vars(c)]
    return owners[1].__init__ if len(owners) > 1 else None


def _target(component, keywords):
    """Find where `**keywords` go: (callable, names set there) or None."""
    function = _plain_function(component)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not any(
                k.arg is None and isinstance(k.value, ast.Name) and
                k.value.id == keywords for k in call.keywords):
            continue
        fixed = {k.arg for k in call.keywords if k.arg is not None}
        if isinstance(call.func, ast.Name):
            found = function.__globals__.get(call.func.id)
        elif isinstance(call.func, ast.Attribute) and \
                call.func.attr == "__init__" and inspect.isclass(component):
            found = _next_init(component)
        else:
            found = None
        return (found, fixed, len(call.args)) if callable(found) else None
    return None


@functools.cache
def of(component):
    """Return the Signature of a class or function."""
    arguments, is_open = {}, False
    for name, p in inspect.signature(component).parameters.items():
        if p.kind is p.VAR_POSITIONAL or name == "self":
            continue
        if p.kind is not p.VAR_KEYWORD:
            arguments[name] = Argument(
                p.default, p.annotation
                if isinstance(p.annotation, check.Check) else None)
            continue
        try:
            target = _target(component, name)
        except (OSError, TypeError, SyntaxError):
            target = None
        if target is None:
            is_open = True
            continue
        further, fixed, positional = target
        below = of(further)
        is_open = is_open or below.is_open
        for i, (key, argument) in enumerate(below.arguments.items()):
            if i >= positional and key not in fixed:
                arguments.setdefault(key, argument)
    return Signature(arguments, is_open)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Allowed values of constructor arguments, written as annotations.

    @check.arguments
    def __init__(self, *, prob: check.Range(0.0, 1.0) = 0.5): ...

`arguments` checks a call made by hand; the configuration checker reads the
same annotations before anything is built.
"""

import functools
import inspect
import math
import numbers

from contrib_semiseg.cvlibs.errors import ArgumentError


class Check:
    """Base of the annotations; `allowed` says in words what passes."""

    allowed = ""

    def accepts(self, value):
        raise NotImplementedError


class Range(Check):
    """A finite number in [low, high]; None leaves an end open.

    Args:
        low, high (float, optional): inclusive bounds.
        exclude_low (bool): take `low` itself out.
        integer (bool): whole numbers only.
        optional (bool): None passes too.
    """

    def __init__(self, low=None, high=None, *, exclude_low=False,
                 integer=False, optional=False):
        self.low, self.high = low, high
        self.exclude_low, self.integer = exclude_low, integer
        self.optional = optional
        left = "(-inf" if low is None else f"{'(' if exclude_low else '['}{low}"
        right = "inf)" if high is None else f"{high}]"
        self.allowed = (("an integer in " if integer else "a number in ") +
                        f"{left}, {right}" + (" or null" if optional else ""))

    def accepts(self, value):
        if value is None:
            return self.optional
        kind = numbers.Integral if self.integer else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        # An integer may be too large to become the float that isfinite wants.
        if not isinstance(value, numbers.Integral) and \
                not math.isfinite(value):
            return False
        if self.low is not None and (value < self.low or
                                     (self.exclude_low and value == self.low)):
            return False
        return self.high is None or value <= self.high


class OneOf(Check):
    """One of the given values (None among them if null is allowed)."""

    def __init__(self, *values):
        self.values = values
        self.allowed = ", ".join(
            {None: "null", True: "true", False: "false"}[v]
            if v is None or isinstance(v, bool) else str(v) for v in values)

    def accepts(self, value):
        return any(value is v if v is None or isinstance(v, bool) else
                   (value == v and not isinstance(value, bool))
                   for v in self.values)


class ListOf(Check):
    """A list or tuple, each item passing `item`, of `length` if given."""

    def __init__(self, item, length=None, *, optional=False):
        self.item, self.length, self.optional = item, length, optional
        count = "" if length is None else f"{length} of "
        self.allowed = (f"a list of {count}{item.allowed}" +
                        (" or null" if optional else ""))

    def accepts(self, value):
        if value is None:
            return self.optional
        if not isinstance(value, (list, tuple)):
            return False
        if self.length is not None and len(value) != self.length:
            return False
        return all(self.item.accepts(v) for v in value)


class Text(Check):
    """A string (or null, if `optional`)."""

    def __init__(self, *, optional=False):
        self.optional = optional
        self.allowed = "a text" + (" or null" if optional else "")

    def accepts(self, value):
        return isinstance(value, str) or (value is None and self.optional)


class Either(Check):
    """What one of the given checks accepts."""

    def __init__(self, *checks):
        self.checks = checks
        self.allowed = ", or ".join(c.allowed for c in checks)

    def accepts(self, value):
        return any(c.accepts(value) for c in self.checks)


class MapOf(Check):
    """Texts that each stand for what `item` accepts (or null, if `optional`).

    `what` says so in words.
    """

    def __init__(self, item, what, *, optional=False):
        self.item, self.optional = item, optional
        self.allowed = what + (" or null" if optional else "")

    def accepts(self, value):
        if value is None:
            return self.optional
        return isinstance(value, dict) and all(
            isinstance(k, str) and self.item.accepts(v)
            for k, v in value.items())


class TextMap(MapOf):
    """Texts that each stand for a text (or null, if `optional`)."""

    def __init__(self, *, optional=False):
        super().__init__(Text(), "texts by text, {old: new}",
                         optional=optional)


BOOL = OneOf(True, False)
PROBABILITY = Range(0.0, 1.0)
SIZE = ListOf(Range(1, integer=True), 2)
COLOR = ListOf(Range(0, 255, integer=True), 3)
# A fraction of the labelled images, or a list of them.
VAL_SPLIT = Either(Range(0, 0.9, exclude_low=True), Text(optional=True))


def arguments(init):
    """Decorate a constructor: check each argument by its annotation.

    Raises: ArgumentError, when called with a value that its Check refuses.
    """
    signature = inspect.signature(init)
    checks = {name: p.annotation for name, p in signature.parameters.items()
              if isinstance(p.annotation, Check)}

    @functools.wraps(init)
    def checked(self, *args, **kwargs):
        bound = signature.bind(self, *args, **kwargs)
        for name, value in bound.arguments.items():
            if name in checks and not checks[name].accepts(value):
                raise ArgumentError(name, value, checks[name].allowed)
        return init(self, *args, **kwargs)

    return checked

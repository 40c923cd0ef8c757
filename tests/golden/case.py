# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""One golden case: its arrays, hyper-parameters and tolerances."""

import json
from pathlib import Path

import numpy as np
import paddle

HANDLERS = {}


def handles(method, *kinds):
    """Decorate a function `check(case)` that tests these kinds of a method."""

    def add(function):
        for kind in kinds:
            assert (method, kind) not in HANDLERS, (method, kind)
            HANDLERS[method, kind] = function
        return function

    return add


def handler_of(method, kind):
    """The handler of a kind: the method's own, else the only one there is."""
    if (method, kind) in HANDLERS:
        return HANDLERS[method, kind]
    others = {f for (_, k), f in HANDLERS.items() if k == kind}
    return others.pop() if len(others) == 1 else None


class Case:
    """A manifest entry and its file.

    `case["in_x"]` is a numpy array, `case.tensor("in_x", grad=True)` a
    tensor, `case.params` the hyper-parameters; `case.check("out_y", value)`
    compares within the case's tolerance and remembers that `out_y` was used.
    """

    def __init__(self, manifest, entry):
        self.method, self.entry = manifest.parent.name, entry
        self.folder = manifest.parent
        self.kind, self.name = entry["kind"], entry["case"]
        self.params = entry["params"]
        with np.load(manifest.parent / entry["file"],
                     allow_pickle=False) as file:
            self.arrays = {k: file[k] for k in file.files}
        self.checked = set()

    def __repr__(self):
        return f"{self.method}/{self.name}"

    def __getitem__(self, name):
        return self.arrays[name]

    def tensor(self, name, grad=False):
        return paddle.to_tensor(self.arrays[name], stop_gradient=not grad)

    def tolerance(self, name):
        atol, rtol = self.entry.get("tolerances", {}).get(
            name, (self.entry["atol"], self.entry["rtol"]))
        return dict(atol=atol, rtol=rtol)

    def check(self, name, value, **tolerance):
        if isinstance(value, paddle.Tensor):
            value = value.numpy()
        expected = self.arrays[name]
        assert np.shape(value) == expected.shape, (name, np.shape(value),
                                                   expected.shape)
        np.testing.assert_allclose(
            np.asarray(value, dtype=np.result_type(expected, np.float64)),
            expected, err_msg=f"{self!r}: {name}",
            **(tolerance or self.tolerance(name)))
        self.checked.add(name)

    def mark(self, *names):
        """Say that a handler compared these by a rule of its own."""
        self.checked.update(names)

    def unchecked(self):
        return sorted(n for n in self.arrays
                      if n.startswith(("out_", "grad_")) and
                      n not in self.checked)


def manifests(root):
    return sorted(Path(root).rglob("manifest.json"))


def cases_of(manifest):
    return json.loads(manifest.read_text(encoding="utf-8"))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CAC: the contrast, its memory, and two processes."""

import json
import tempfile
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.losses import directional_contrast
from contrib_semiseg.methods.memory import RowQueue
from tests.golden.case import handles
from tests.support import tiny
from tests.support.recorded_views import advance, arrays_of, method_of


def _remember(method, case):
    """Put the case's older rows into the memory, if there are any."""
    if "in_bank_feat" not in case.arrays:
        return
    rows = case["in_bank_feat"]
    if len(rows) + 2 * method.selected_num > method.memory.capacity:
        method.memory = RowQueue(
            capacity=len(rows) + 2 * method.selected_num, columns={
                "feature": ([rows.shape[1]], "float32"),
                "label": ([], "int64")})
    method.memory.append(feature=paddle.to_tensor(rows),
                         label=case.tensor("in_bank_label"))


def _check(case, found, suffix=""):
    """Compare everything that the case holds under these names."""
    for name, value in found.items():
        name = name if name.startswith("grad_") else f"out_{name}"
        if name + suffix in case.arrays:
            case.check(name + suffix, value)


@handles("cac", "unsup_core", "unsup_geometry", "bank_blocks")
def unsupervised(case):
    assert case.params.get("block", 8000) == directional_contrast.BLOCK
    method = method_of(case.arrays, case.params)
    _remember(method, case)
    geometry = None
    if "in_flip" in case.arrays:
        geometry = {}
        for v, view in enumerate(("view1", "view2")):
            geometry[f"{view}_overlap"] = np.concatenate(
                [case[f"in_ul{v + 1}"], case[f"in_br{v + 1}"]], axis=1)
            geometry[f"{view}_mirrored"] = case["in_flip"][:, v]
    found = advance(method, *arrays_of(case.arrays), geometry)
    new = 2 * method.selected_num
    found.update(bank_new_feat=found["bank_feat"][-new:],
                 bank_new_label=found["bank_label"][-new:])
    _check(case, found)


@handles("cac", "bank_fifo")
def memory(case):
    steps = range(len(case["in_z1"]))
    for step_save in case.params["step_save"]:
        method = method_of(case.arrays, case.params, step_save=step_save)
        lengths, losses = [], []
        for t in steps:
            found = advance(method, *arrays_of(case.arrays, at=t))
            lengths.append(len(method.memory))
            losses.append([found["loss1"], found["loss2"]])
        case.check(f"out_bank_len_s{step_save}", lengths)
        case.check(f"out_losses_s{step_save}", losses)
        _check(case, found, f"_s{step_save}")


@handles("cac", "two_ranks")
def two_processes(case):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "params.json").write_text(json.dumps(case.params))
        np.savez(folder / "case.npz", **case.arrays)
        tiny.launch(folder, "tests/support/two_contrasts.py", folder)
        for rank in range(case.params["world"]):
            with np.load(folder / f"found_{rank}.npz") as found:
                _check(case, found, f"_r{rank}")

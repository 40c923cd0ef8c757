# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by the launcher in each of two processes: a golden case of two ranks.

    u2pl_ranks.py MANIFEST CASE OUT.npz
"""

import json
import sys
from pathlib import Path

from contrib_semiseg import environment

environment.prepare()

import numpy as np  # noqa: E402
import paddle  # noqa: E402

from contrib_semiseg.engine import distributed  # noqa: E402
from contrib_semiseg.engine.optimizer import SGD  # noqa: E402
from contrib_semiseg.engine.trainer import Trainer  # noqa: E402
from tests.golden.case import Case  # noqa: E402
from tests.support import contrast, tiny_u2pl  # noqa: E402


def overflow(case, rank):
    """Process 0 does the step, process 1 brings its recorded keys."""
    if rank == 0:
        return contrast.run(case)
    keys = [case[f"in_rank1_keys_{c}"] for c in range(case.params["C"])]
    rows = np.concatenate(keys)
    owner = np.repeat(range(len(keys)), [len(k) for k in keys])
    masks = owner == np.arange(len(keys))[:, None]
    contrast.build(case).memory.append(
        paddle.to_tensor(rows.T[None, :, None]),
        paddle.to_tensor(masks[None, :, None]))
    return {}


def gradient(case, rank):
    """One step whose contrast is linear: the mean value, both gradients."""
    found = {}
    for name, divide in (("out_grad", True), ("out_grad_plain", False)):
        weights = tiny_u2pl.Weights(case["in_w"])
        method = tiny_u2pl.method(
            weights, tiny_u2pl.Weights(case["in_w"]), contrast_weight=1.0,
            divide_contrast=divide, sup_only_epoch=0)
        x = case.tensor("in_x")[rank]
        values = []

        def forward(batch, step, w=weights.weight, m=method, x=x,
                    values=values):
            values.append((w * x).sum())
            return {"loss_contrast": m.contrast_weight * values[-1]}

        method.forward = forward
        optimizer = SGD(momentum=0.0)(method, 1.0)
        trainer = Trainer(method=method, optimizer=optimizer,
                          schedule=lambda step: 1.0, total_steps=1,
                          iters_per_epoch=1)
        trainer.run_step([{}], trainer.step_of(0))
        found[name] = case["in_w"] - weights.weight.numpy()
        found["out_value"] = distributed.sum_array(
            values[0].numpy()) / distributed.world()
    return found


def main():
    manifest, name, out = sys.argv[1:]
    entry = next(e for e in json.loads(Path(manifest).read_text())
                 if e["case"] == name)
    distributed.start()
    rank = distributed.rank()
    assert distributed.world() == 2
    case = Case(Path(manifest), entry)
    check = gradient if "in_w" in case.arrays else overflow
    found = check(case, rank)
    if rank == 0:
        np.savez(out, **found)
    distributed.fence()


if __name__ == "__main__":
    main()
    sys.exit(0)

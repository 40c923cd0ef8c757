# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""U2PL: what two processes do together."""

import tempfile
from pathlib import Path

import numpy as np

from tests.golden.case import handles
from tests.golden.handlers.u2pl import check_contrast
from tests.support import tiny


def run(case):
    """Run the case in two processes; what process 0 found, name -> array."""
    assert case.params.get("world_size", 2) == 2
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.npz"
        tiny.launch(Path(folder), "tests/support/u2pl_ranks.py",
                    case.folder / "manifest.json", case.name, out)
        with np.load(out) as file:
            return {name: file[name] for name in file.files}


@handles("u2pl", "contra_two_ranks_overflow")
def overflow(case):
    found = run(case)
    found["out_new_keys"] += [len(case[f"in_rank1_keys_{c}"])
                              for c in range(case.params["C"])]
    check_contrast(case, found)


@handles("u2pl", "contra_allreduce_gradient")
def gradient(case):
    for name, value in run(case).items():
        case.check(name, value)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by the launcher in each process: a golden step of CAC of its own."""

import json
import sys
from pathlib import Path

from contrib_semiseg import environment

environment.prepare()

import numpy as np  # noqa: E402

from contrib_semiseg.engine import distributed  # noqa: E402
from tests.support.recorded_views import (  # noqa: E402
    advance,
    arrays_of,
    method_of,
)


def main(folder):
    distributed.start()
    rank = distributed.rank()
    params = json.loads((folder / "params.json").read_text())
    assert distributed.world() == params["world"]
    with np.load(folder / "case.npz") as file:
        arrays = {k: file[k] for k in file.files}
    method = method_of(arrays, params, f"_r{rank}")
    found = advance(method, *arrays_of(arrays, f"_r{rank}"))
    np.savez(folder / f"found_{rank}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.exit(0)

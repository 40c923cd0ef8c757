# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run a list of transforms, ours and PaddleSeg's, on one sample.

A sample is PaddleSeg's dict: `img` [H, W, 3] RGB, `label` [H, W] if there is
one, `gt_fields` (names that move with the image), `trans_info`, and `rng`,
a np.random.Generator for our transforms.
"""

import contextlib
import random

import numpy as np


def is_paddleseg(op):
    """True for a transform that lives in the paddleseg package."""
    return type(op).__module__.split(".")[0] == "paddleseg"


@contextlib.contextmanager
def global_draws(rng):
    """Inside, `random` and `np.random` draw from a seed that `rng` gives.

    PaddleSeg's transforms use these global generators; the state they had is
    put back, so that the caller's own draws do not depend on the data.
    """
    states = random.getstate(), np.random.get_state()
    seed = int(rng.integers(2**32))
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def run(ops, data):
    """Apply `ops` in turn to the sample `data` and return it.

    Ours keep a uint8 image as it is; the first of PaddleSeg's turns it into
    float32 (0..255), which is what those expect.
    """
    foreign = [is_paddleseg(op) for op in ops]
    draws = (global_draws(data["rng"])
             if any(foreign) else contextlib.nullcontext())
    with draws:
        for op, from_paddleseg in zip(ops, foreign):
            if from_paddleseg and data["img"].dtype == np.uint8:
                data["img"] = data["img"].astype(np.float32)
            data = op(data)
    return data


def fields(data):
    """Names of the label-like arrays of a sample."""
    return data.get("gt_fields", [])

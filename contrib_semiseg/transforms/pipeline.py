# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run a list of transforms, ours and PaddleSeg's, on one sample.

A sample is PaddleSeg's dict: `img` [H, W, 3] RGB, `label` [H, W] if there is
one, `gt_fields` (names that move with the image), `trans_info`, and `rng`,
a np.random.Generator for our transforms. Once a transform has padded, `valid`
[H, W] uint8 is one of the gt_fields: 1 on the picture, anything else beside.
"""

import contextlib
import random

import numpy as np

from contrib_semiseg.cvlibs.errors import ConfigError


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
    float32 (0..255), which is what those expect. One of ours that says
    `eight_bit` gets it rounded back.
    """
    foreign = [is_paddleseg(op) for op in ops]
    draws = (global_draws(data["rng"])
             if any(foreign) else contextlib.nullcontext())
    with draws:
        for op, from_paddleseg in zip(ops, foreign):
            if from_paddleseg and data["img"].dtype == np.uint8:
                data["img"] = data["img"].astype(np.float32)
            elif getattr(op, "eight_bit", False):
                data["img"] = eight_bit(data["img"])
            data = op(data)
    return data


def eight_bit(image):
    """Values 0..255 rounded to uint8; a uint8 image as it is."""
    if image.dtype == np.uint8:
        return image
    return np.rint(image).clip(0, 255).astype(np.uint8)


def check_order(ops, where):
    """Refuse an operation on 8-bit pictures after `Normalize`.

    Returns: bool, whether the list normalises.
    Raises: ConfigError naming it and `where` the list stands.
    """
    names = [type(op).__name__ for op in ops]
    if "Normalize" not in names:
        return False
    for op in ops[names.index("Normalize"):]:
        if getattr(op, "eight_bit", False):
            raise ConfigError(f"{where}: {type(op).__name__} stands after "
                              "Normalize, but works on pictures of 0..255; "
                              "allowed: before it")
    return True


def mark_valid(data):
    """Start the record of padding; return `data["valid"]`, uint8 [H, W]."""
    if "valid" not in data:
        data["valid"] = np.ones(data["img"].shape[:2], np.uint8)
        data["gt_fields"] = [*fields(data), "valid"]
    return data["valid"]


def fields(data):
    """Names of the label-like arrays of a sample."""
    return data.get("gt_fields", [])

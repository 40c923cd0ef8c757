# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run a network on the CPU through ONNX Runtime, where that is right.

The extra packages are `paddle2onnx` and `onnxruntime`. An export is trusted
only after its logits were compared with those of the network itself.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs.errors import UserError, nearest
from contrib_semiseg.engine import deployed, static_graph
from contrib_semiseg.engine.inference import eager_forward
from contrib_semiseg.engine.static_graph import last_line

ENGINES = ("eager", "onnxruntime", "auto")
EXTRA = ("paddle2onnx", "onnxruntime")
TOLERANCE = 1e-3  # of the largest logit
AGREEMENT = 0.999  # share of equal classes
EXPORT_SECONDS = 300


class NotPossible(Exception):
    """Why ONNX Runtime cannot run this network, in one line."""


def missing_extra():
    """What to install, in words; None where nothing is missing."""
    missing = [name for name in EXTRA
               if importlib.util.find_spec(name) is None]
    return f"pip install {' '.join(missing)} is needed" if missing else None


def write_onnx(layer, folder, shape=(None, 3, None, None)):
    """Write a layer of one input as FOLDER/model.onnx.

    Args:
        layer (Layer): in eval mode, see `static_graph.Deployed`.
        folder (str): an existing one; gets other files as well.
        shape (sequence): of the input; None where it is free.

    Returns: the path of the file.
    Raises: NotPossible, also where the exporter aborts its process.
    """
    prefix = str(Path(folder, "traced"))
    target = str(Path(folder, "model.onnx"))
    try:
        static_graph.save(layer, prefix, shape)
    except static_graph.NotSaved as error:
        raise NotPossible(str(error)) from error
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        child = subprocess.run(
            [sys.executable, "-m", "contrib_semiseg.engine.onnx_export",
             prefix, target], env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=EXPORT_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotPossible(f"the export took more than {EXPORT_SECONDS} s"
                          ) from None
    if child.returncode < 0:
        raise NotPossible("the export was ended by "
                          f"{signal.Signals(-child.returncode).name}")
    if child.returncode or not os.path.isfile(target):
        raise NotPossible(f"the export failed: {last_line(child.stdout)}")
    return target


def difference(forward, reference, x):
    """Compare two forwards on one input.

    Returns: None where they agree, else what differs, in words.
    """
    expected, size = reference(x), f"{x.shape[3]}x{x.shape[2]}"
    try:
        found = forward(x)
    # ONNX Runtime's errors share no base class.
    except Exception as error:
        return f"it fails at {size}: {last_line(str(error))}"
    if found.shape != expected.shape:
        return f"its output is {found.shape} instead of {expected.shape}"
    scale = max(float(np.abs(expected).max()), 1e-6)
    error = float(np.abs(found - expected).max()) / scale
    equal = float((found.argmax(1) == expected.argmax(1)).mean())
    if error <= TOLERANCE and equal >= AGREEMENT:
        return None
    return (f"at {size} its logits differ by {error:.2g} of the largest, and "
            f"{1 - equal:.2%} of the classes")


def trial_inputs(x):
    """The first input, and a smaller one of odd size cut from it."""
    h, w = (max(side - 1 - side % 2, 1) for side in x.shape[2:])
    return [x, np.ascontiguousarray(x[:, :, :h, :w])]


def onnx_forward(network, first_input):
    """Export `network` and return its `forward` through ONNX Runtime.

    Args:
        network (Layer): in eval mode; float32 [N, 3, h, w] to logits.
        first_input (ndarray): float32 [1, 3, h, w], for the comparison.

    Raises: NotPossible, with the reason.
    """
    device = paddle.get_device()
    if not device.startswith("cpu"):
        raise NotPossible(f"the device is {device}; ONNX Runtime is used on "
                          "the CPU only")
    missing = missing_extra()
    if missing:
        raise NotPossible(missing)
    with tempfile.TemporaryDirectory(prefix="semiseg_onnx_") as folder:
        try:
            forward = deployed.onnx_forward(write_onnx(
                static_graph.Deployed(network), folder))
        except deployed.NotRun as error:
            raise NotPossible(str(error)) from error
    reference = eager_forward(network)
    for x in trial_inputs(first_input):
        wrong = difference(forward, reference, x)
        if wrong:
            raise NotPossible(f"the export is wrong: {wrong}")
    return forward


def choose_engine(network, engine, first_input):
    """Choose how the network is run.

    Args:
        network (Layer): in eval mode; float32 [N, 3, h, w] to logits.
        engine (str): eager, onnxruntime, or auto: ONNX Runtime where it is
            installed and gives the same logits on the first picture.
        first_input (callable): gives float32 [1, 3, h, w]; called only if an
            export is tried.

    Returns: (forward, note): numpy in and out, as `eager_forward`; and one
        line that says what runs and, after a fall-back, why.
    Raises: UserError for an unknown engine, or where onnxruntime was asked
        for and is not possible.
    """
    if engine not in ENGINES:
        raise UserError(f"--engine {engine} is not known; allowed: "
                        f"{', '.join(ENGINES)}{nearest(engine, ENGINES)}")
    if engine == "eager":
        return eager_forward(network), "engine: eager"
    try:
        return onnx_forward(network, first_input()), "engine: onnxruntime"
    except NotPossible as reason:
        if engine == "onnxruntime":
            raise UserError(f"--engine onnxruntime is not possible: {reason}"
                            ) from None
        return eager_forward(network), f"engine: eager ({reason})"

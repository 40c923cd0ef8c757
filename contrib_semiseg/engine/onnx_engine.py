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
import warnings
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.cvlibs.errors import UserError, nearest
from contrib_semiseg.engine.inference import eager_forward

ENGINES = ("eager", "onnxruntime", "auto")
EXTRA = ("paddle2onnx", "onnxruntime")
TOLERANCE = 1e-3  # of the largest logit
AGREEMENT = 0.999  # share of equal classes
EXPORT_SECONDS = 300


class NotPossible(Exception):
    """Why ONNX Runtime cannot run this network, in one line."""


class _MainOutput(nn.Layer):
    """The first of the outputs alone: what inference needs."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    # `paddle.jit.save` finds the layer by the name `self`.
    def forward(self, x):
        outputs = self.network(x)
        return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def _last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def _export(network, folder):
    """Write `network` as ONNX with free batch, height and width.

    Returns: the path of the file.
    Raises: NotPossible, also where the exporter aborts its process.
    """
    prefix, target = str(Path(folder, "network")), str(Path(folder, "n.onnx"))
    spec = paddle.static.InputSpec([None, 3, None, None], "float32", "x")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            paddle.jit.save(_MainOutput(network), prefix, [spec])
    # Tracing runs the network's own code: anything can be raised.
    except Exception as error:
        raise NotPossible("the network cannot be traced: "
                          f"{_last_line(str(error))}") from error
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
        raise NotPossible(f"the export failed: {_last_line(child.stdout)}")
    return target


def _session_forward(path):
    """`forward` through ONNX Runtime on all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = (int(threads) if threads.isdigit() else
                                    os.cpu_count())
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"])
    # Its errors share no base class.
    except Exception as error:
        raise NotPossible("ONNX Runtime refuses the export: "
                          f"{_last_line(str(error))}") from error
    name = session.get_inputs()[0].name

    def forward(x):
        return session.run(None, {name: np.ascontiguousarray(x)})[0]

    return forward


def difference(forward, reference, x):
    """Compare two forwards on one input.

    Returns: None where they agree, else what differs, in words.
    """
    expected, size = reference(x), f"{x.shape[3]}x{x.shape[2]}"
    try:
        found = forward(x)
    # ONNX Runtime's errors share no base class.
    except Exception as error:
        return f"it fails at {size}: {_last_line(str(error))}"
    if found.shape != expected.shape:
        return f"its output is {found.shape} instead of {expected.shape}"
    scale = max(float(np.abs(expected).max()), 1e-6)
    error = float(np.abs(found - expected).max()) / scale
    equal = float((found.argmax(1) == expected.argmax(1)).mean())
    if error <= TOLERANCE and equal >= AGREEMENT:
        return None
    return (f"at {size} its logits differ by {error:.2g} of the largest, and "
            f"{1 - equal:.2%} of the classes")


def _trial_inputs(x):
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
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise NotPossible(f"pip install {' '.join(missing)} is needed")
    with tempfile.TemporaryDirectory(prefix="semiseg_onnx_") as folder:
        forward = _session_forward(_export(network, folder))
    reference = eager_forward(network)
    for x in _trial_inputs(first_input):
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

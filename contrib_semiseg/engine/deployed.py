# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run exported networks on the CPU: Paddle Inference and ONNX Runtime."""

import os

import numpy as np

from contrib_semiseg.engine.static_graph import last_line


class NotRun(Exception):
    """Why a runtime refuses an exported network, in one line."""


def cpu_threads():
    """Threads that a network may use: OMP_NUM_THREADS, or all cores."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdigit() and int(threads) else \
        os.cpu_count()


def onnx_forward(path):
    """`forward` of an ONNX file through ONNX Runtime on the CPU.

    Returns: a callable, float32 [N, 3, h, w] to the file's output.
    Raises: NotRun.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = cpu_threads()
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"])
    # Its errors share no base class.
    except Exception as error:
        raise NotRun("ONNX Runtime refuses the export: "
                     f"{last_line(str(error))}") from error
    name = session.get_inputs()[0].name

    def forward(x):
        return session.run(None, {name: np.ascontiguousarray(x)})[0]

    return forward


def paddle_forward(program, params):
    """`forward` of a static graph through Paddle Inference on the CPU.

    Args:
        program, params (str or Path): see `static_graph.save`.

    Returns: a callable, float32 [N, 3, h, w] to the graph's output.
    Raises: NotRun.
    """
    from paddle import inference

    config = inference.Config(str(program), str(params))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(cpu_threads())
    if not str(program).endswith(".pdmodel"):
        config.disable_mkldnn()  # which the newer form lacks an operator for
    try:
        predictor = inference.create_predictor(config)
    # Of a bad graph it raises nearly anything.
    except Exception as error:
        raise NotRun("Paddle Inference refuses the export: "
                     f"{last_line(str(error))}") from error
    source = predictor.get_input_handle(predictor.get_input_names()[0])
    result = predictor.get_output_handle(predictor.get_output_names()[0])

    def forward(x):
        source.reshape(x.shape)
        source.copy_from_cpu(np.ascontiguousarray(x))
        predictor.run()
        return result.copy_to_cpu()

    return forward

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Turn a saved network into an ONNX file; run as a process of its own.

    python -m contrib_semiseg.engine.onnx_export PREFIX FILE.onnx

PREFIX.json and PREFIX.pdiparams come from `paddle.jit.save`. The exporter can
abort its process, which is why no other work is done in it.
"""

import sys

OPSET = 13


def main(prefix, target):
    import paddle2onnx

    # Its other optimize tools install packages while they run.
    paddle2onnx.export(f"{prefix}.json", f"{prefix}.pdiparams", target,
                       opset_version=OPSET, optimize_tool="None")


if __name__ == "__main__":
    main(*sys.argv[1:])

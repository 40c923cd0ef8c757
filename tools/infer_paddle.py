# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Class maps from an exported network, with Paddle Inference alone.

    python tools/infer_paddle.py output/export out photo.jpg [more.jpg ...]

output/export was written by `export.py`. What surrounds the network is in
infer_onnx.py beside this file.
"""

import os

from infer_onnx import main
from paddle import inference


def open_network(folder, deploy):
    """Input to output, as numpy's arrays."""
    config = inference.Config(os.path.join(folder, deploy["model"]),
                              os.path.join(folder, deploy["params"]))
    config.disable_gpu()
    config.disable_glog_info()
    config.set_cpu_math_library_num_threads(
        int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    if deploy["model"].endswith(".json"):
        config.disable_mkldnn()  # Paddle 3.3 fails at this form with oneDNN
    predictor = inference.create_predictor(config)
    source = predictor.get_input_handle(predictor.get_input_names()[0])
    result = predictor.get_output_handle(predictor.get_output_names()[0])

    def network(x):
        source.reshape(x.shape)
        source.copy_from_cpu(x)
        predictor.run()
        return result.copy_to_cpu()

    return network


if __name__ == "__main__":
    main(open_network)

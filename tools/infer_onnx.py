# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Class maps from an exported network, with ONNX Runtime alone.

    python tools/infer_onnx.py output/export out photo.jpg [more.jpg ...]

output/export was written by `export.py --onnx`. This file needs nothing of
this project: numpy, OpenCV, PyYAML and onnxruntime.
"""

import os
import sys

import cv2
import numpy as np
import yaml


def prepare(image, transforms):
    """uint8 [H, W, 3] RGB to the network's input float32 [1, 3, h, w]."""
    image = image.astype(np.float32)
    for item in transforms:
        if item["type"] == "Resize" and not item.get("keep_ratio") and \
                not item.get("size_divisor"):
            image = cv2.resize(
                image, tuple(item.get("target_size", (512, 512))),
                interpolation=getattr(cv2, "INTER_" +
                                      item.get("interp", "LINEAR")))
        elif item["type"] == "Normalize":
            mean = np.float32(item.get("mean", (0.5, 0.5, 0.5)))
            image = (image / 255 - mean) / np.float32(
                item.get("std", (0.5, 0.5, 0.5)))
        else:
            sys.exit(f"error: this example does not know {item}; it knows "
                     "Resize to a fixed size, and Normalize")
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)


def class_map(output, size):
    """A network's output for one picture as classes of `size` (H, W)."""
    if output.ndim == 2:  # --output_op argmax
        return cv2.resize(output.astype(np.uint8), size[::-1],
                          interpolation=cv2.INTER_NEAREST)
    return np.stack([cv2.resize(part, size[::-1]) for part in
                     output]).argmax(axis=0).astype(np.uint8)


def open_network(folder, deploy):
    """Input to output, as numpy's arrays."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        os.path.join(folder, "model.onnx"), options,
        providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def main(open_network):
    """Run over the pictures of the command line."""
    if len(sys.argv) < 4:
        sys.exit("usage: FOLDER_OF_THE_EXPORT FOLDER_OF_RESULTS PICTURE...")
    folder, target, *paths = sys.argv[1:]
    with open(os.path.join(folder, "deploy.yaml"), encoding="utf-8") as file:
        deploy = yaml.safe_load(file)["Deploy"]
    network = open_network(folder, deploy)
    os.makedirs(target, exist_ok=True)
    for path in paths:
        image = cv2.imread(path, cv2.IMREAD_COLOR)
        if image is None:
            sys.exit(f"error: {path} cannot be read")
        x = prepare(image[:, :, ::-1], deploy["transforms"])
        classes = class_map(network(x)[0], image.shape[:2])
        name = os.path.splitext(os.path.basename(path))[0] + ".png"
        cv2.imwrite(os.path.join(target, name), classes)
        print(os.path.join(target, name))


if __name__ == "__main__":
    main(open_network)

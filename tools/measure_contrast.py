# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Measure the contrast of overlapping crops: time and memory by crop size.

    python tools/measure_contrast.py [--crop 160 240 320] [--images 4]

A step of CAC without its network: normalisation, memory, overlap, both
directions and the backward pass, on random vectors of which every one in the
overlap learns in one direction, more than a real step has. The memory of rows
is full. The peak is that of all tensors, vectors and memory included.
"""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
from paddle import nn  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs import cli, manager  # noqa: E402
from contrib_semiseg.methods.base import Step  # noqa: E402
from contrib_semiseg.methods.cac import VIEWS  # noqa: E402

_ALLOCATED = ("Allocated", 0)  # Paddle's counter for the host
_STEP = Step(it=0, total=1)


class Given(nn.Layer):
    """Stands for a network: vectors [N, E, h, w] in place of a projection."""

    def __init__(self, vectors, scores):
        super().__init__()
        self.vectors, self.scores, self.calls = vectors, scores, 0

    def forward(self, images, outputs=None):
        if outputs is None:
            return [paddle.zeros([])]
        if not self.training:
            return {"feature": self.vectors[0][:1, :, :8, :8]}
        self.calls += 1
        return {"feature": self.vectors[self.calls % len(self.vectors)]}

    @staticmethod
    def embedding(feature):
        return feature

    def score(self, feature):
        return self.scores[self.calls % len(self.vectors)]


def pairs(crops, images, rng):
    """Images and places of unlabelled views, as VOC's recipe draws them."""
    size, found = crops.size, {}
    for view in VIEWS:
        found[view] = paddle.zeros([images, 3, *size])
    rows = []
    for _ in range(images):
        long_side = rng.integers(size[1], 2.5 * size[1], endpoint=True)
        picture = int(long_side * 0.75 + 0.5), long_side
        rows.append(crops.geometry(crops.draw(rng, *picture), *picture))
    for v, view in enumerate(VIEWS):
        for key in crops.adds:
            found[f"{view}_{key}"] = paddle.to_tensor(
                np.stack([row[v][key] for row in rows]))
    return found


def peak():
    """Largest sum of tensors since `forget_peak`, bytes."""
    if paddle.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated()
    return paddle.base.core.host_memory_stat_peak_value(*_ALLOCATED)


def forget_peak():
    if paddle.get_device().startswith("gpu"):
        paddle.device.cuda.reset_max_memory_allocated()
    else:
        paddle.base.core.host_memory_stat_reset_peak_value(*_ALLOCATED)


def measure(crop, images, *, step_save=1, width=128, classes=21, repeat=3,
            seed=0):
    """Cost of a step on crops of `crop` x `crop` pixels.

    Args:
        crop, images (int): side of the crops, pairs of a step.
        step_save, width, classes (int): see CAC.
        repeat (int): measured steps.

    Returns: dict: `pixels` of a view, all images together; `anchors` of both
        directions; `memory` in rows; median `seconds`; `bytes` at the peak.
    """
    paddle.seed(seed)
    rng = np.random.default_rng(seed)
    crops = manager.CROPS["OverlapCrops"](crop_size=[crop, crop])
    shape = [images, width, *crops.cells]
    vectors = [paddle.randn(shape) for _ in VIEWS]
    # All surer than the threshold: each cell of the overlap learns once.
    scores = [6 + paddle.rand([images, 1, *crops.cells]) *
              paddle.nn.functional.one_hot(
                  paddle.randint(0, classes, [images, *crops.cells]),
                  classes).transpose([0, 3, 1, 2]) * 10 for _ in VIEWS]
    for vector in vectors:
        vector.stop_gradient = False
    method = manager.METHODS["CAC"](
        model=Given(vectors, scores), criterion=lambda *_: paddle.zeros([]),
        crops=crops, batch_size=images, step_save=step_save, start_epoch=0,
        conf_thresh=0.0)
    method.train()
    batch = {"labeled": {"img": None, "label": None}}
    seconds = []
    for k in range(step_save + 1 + repeat):
        batch["unlabeled"] = pairs(crops, images, rng)
        forget_peak()
        started = time.perf_counter()
        terms = method(batch, _STEP)
        method.total_loss(terms).backward()
        if paddle.is_compiled_with_cuda():
            paddle.device.synchronize()
        if k > step_save:  # the memory is full
            seconds.append(time.perf_counter() - started)
        for vector in vectors:
            vector.clear_gradient(set_to_zero=False)
    overlap = batch["unlabeled"]["view1_overlap"].numpy() // crops.stride
    cells = int(np.prod(overlap[:, 2:] - overlap[:, :2], axis=1).sum())
    return {"pixels": images * crop * crop,
            "anchors": round(cells * float(terms["mask_ratio"])),
            "memory": len(method.memory),
            "seconds": statistics.median(seconds), "bytes": peak()}


def main():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--crop", nargs="+", type=int, default=[160, 240, 320])
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--step_save", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    cli.select_device(flags.device)
    print("| crop | pixels of a view | anchors | rows in memory | ms | MiB | "
          "bytes a pixel |\n|---|---|---|---|---|---|---|")
    for crop in flags.crop:
        row = measure(crop, flags.images, step_save=flags.step_save,
                      repeat=flags.repeat)
        print(f"| {crop} | {row['pixels']} | {row['anchors']} | "
              f"{row['memory']} | {1000 * row['seconds']:.0f} | "
              f"{row['bytes'] / 2**20:.1f} | "
              f"{row['bytes'] / row['pixels']:.0f} |", flush=True)


if __name__ == "__main__":
    main()

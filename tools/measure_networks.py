# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Measure networks: parameters, multiply-adds, time and memory of a step.

    python tools/measure_networks.py [FILE ...] [--crop 321 321 --crop ...]

FILE: configurations with a `model` section; default: the catalogue. A step is
a forward and backward pass of two pictures, then of PaddleSeg's nearest
network on the same backbone. Weights are random. Seconds are the CPU's, over
all threads, so that what else runs does not count.
"""

import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import paddle  # noqa: E402
from paddle import nn  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.builder import Builder  # noqa: E402
from contrib_semiseg.cvlibs.config import Config  # noqa: E402

_ALLOCATED = ("Allocated", 0)  # Paddle's counter for the host
# With default arguments, but as ours without an auxiliary loss.
_NEAREST = {
    "DeepLabV3Plus": [{"type": "DeepLabV3P"}],
    "PyramidNet": [{"type": "PSPNet", "enable_auxiliary_loss": False}]}


def model_section(path):
    """The `model` section of a configuration, without files of weights."""
    tree = Config.load(path).tree["model"]
    return {**tree, "pretrained": None,
            "backbone": {**tree["backbone"], "pretrained": None}}


def build(section, num_classes):
    """The network of a `model` section."""
    return Builder(Config({"model": section,
                           "num_classes": num_classes})).make_model()


def trainable(layer):
    """Trainable parameters; Paddle lists running statistics as well."""
    return sum(p.size for p in layer.parameters() if not p.stop_gradient)


def multiply_adds(network, height, width):
    """Of the convolutions and linear layers that give a picture's logits."""
    found = []

    def add(layer, inputs, output):
        first, size = layer.weight.shape[0], layer.weight.size
        # Of one output: [in, out], or [out, in / groups, height, width].
        each = first if isinstance(layer, nn.Linear) else size // first
        found.append(output.size * each)

    hooks = [layer.register_forward_post_hook(add)
             for layer in network.sublayers()
             if isinstance(layer, (nn.Conv2D, nn.Linear))]
    network.eval()
    with paddle.no_grad():
        network(paddle.zeros([1, 3, height, width]))
    for hook in hooks:
        hook.remove()
    return sum(found)


def step(section, num_classes, shape, repeat):
    """Median seconds after a first step, and the last one's peak of bytes."""
    paddle.set_device("cpu")
    network, x, seconds = build(section, num_classes), paddle.randn(shape), []
    for _ in range(1 + repeat):
        network.clear_gradients(set_to_zero=False)
        paddle.base.core.host_memory_stat_reset_peak_value(*_ALLOCATED)
        started = time.process_time()
        sum(logits.mean() for logits in network(x)).backward()
        seconds.append(time.process_time() - started)
    peak = paddle.base.core.host_memory_stat_peak_value(*_ALLOCATED)
    return statistics.median(seconds[1:]), peak


def steps(section, *arguments):
    """Type, seconds and bytes of a step, each in a new process."""
    for tree in (section, *_NEAREST.get(section["type"], [])):
        tree = {**tree, "backbone": section["backbone"]}
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield tree["type"], *pool.submit(step, tree, *arguments).result()


def show(*cells):
    """Print a row of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def describe(name, section, num_classes, crops):
    """Print parameters by part, stride and multiply-adds."""
    network = build(section, num_classes)
    sizes = [(k, trainable(v)) for k, v in network.named_children()]
    with paddle.no_grad():
        last = network.backbone(paddle.zeros([1, 3, 256, 256]))[-1]
    show(name, ", ".join(f"{k} {v:,}" for k, v in sizes if v),
         f"{trainable(network):,}", round(256 / last.shape[2]),
         *(f"{multiply_adds(network, *crop) / 1e9:.1f}" for crop in crops))


def main():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", type=Path)
    parser.add_argument("--num_classes", type=int, default=21)
    parser.add_argument("--crop", nargs=2, type=int, action="append")
    parser.add_argument("--step_crop", nargs=2, type=int, default=[321, 321])
    parser.add_argument("--repeat", type=int, default=3, help="0: no step")
    flags = parser.parse_args()
    crops = flags.crop or [[321, 321], [513, 513]]
    files = flags.files or sorted((ROOT / "configs/_base_/models").glob("*"))
    sections = {path.stem: model_section(path) for path in files}
    show("network", "parts", "parameters", "stride",
         *(f"G multiply-adds, {h}x{w}" for h, w in crops))
    show(*["---"] * (4 + len(crops)))
    for name, section in sections.items():
        describe(name, section, flags.num_classes, crops)
    if flags.repeat:
        shape = [2, 3, *flags.step_crop]
        print(f"\nA step of {shape}, ours and the nearest of PaddleSeg:\n")
        show("network", "type", "CPU s", "MiB", "MiB of ours / these")
        show(*["---"] * 5)
        for name, section in sections.items():
            found = []
            for kind, seconds, peak in steps(section, flags.num_classes,
                                             shape, flags.repeat):
                found.append(peak)
                show(name, kind, f"{seconds:.2f}", f"{peak / 2**20:.0f}",
                     f"{found[0] / peak:.3f}")


if __name__ == "__main__":
    cli.run(main)

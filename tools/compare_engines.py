# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Compare a network's class maps and speed: eager, Paddle Inference, ONNX.

    python tools/compare_engines.py --config FILE.yml \\
        --model_path output/run/best_model [--images N] [--rounds 3]

Every image of the validation set goes through the network itself and through
the files that export.py writes, in turn, so that a machine whose speed drifts
does not decide it. Class maps are compared at the full size of the images.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import check, cli, schema  # noqa: E402
from contrib_semiseg.cvlibs.errors import ArgumentError  # noqa: E402
from contrib_semiseg.engine import (  # noqa: E402
    console,
    deployed,
    exporting,
    onnx_engine,
    trained,
)
from contrib_semiseg.engine.evaluator import progress  # noqa: E402
from contrib_semiseg.metrics.confusion import Scores, confusion  # noqa: E402

_COUNT = check.Range(1, integer=True)


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    trained.add_network_options(parser)
    add = parser.add_argument
    add("--images", type=int, metavar="N",
        help="the first N of the validation set (default: all)")
    add("--rounds", type=int, default=3, metavar="N",
        help="times that each image is run (default: 3)")
    add("--form", choices=exporting.FORMS, default="auto",
        help="see export.py (default: auto)")
    args = parser.parse_args()
    for name in ("images", "rounds"):
        value = getattr(args, name)
        if value is not None and not _COUNT.accepts(value):
            raise ArgumentError(f"--{name}", value, _COUNT.allowed)
    return args


def engines(network, inferencer, dataset, transforms, reverse, form, folder):
    """{name: forward}, of logits; None where the export does not agree."""
    image = dataset.read(0)[0]
    onnx = onnx_engine.missing_extra()
    if onnx:
        console.say(f"without ONNX: {onnx}")
    agrees = exporting.export(
        network, folder=folder, transforms=transforms, reverse=reverse,
        pair=(inferencer.first_input(image),
              exporting.deployed_input(transforms, image)),
        output_op="none", form=form, onnx=not onnx, say=console.say)
    if not agrees:
        return None
    program = next(p for p in Path(folder).iterdir()
                   if p.name in ("model.pdmodel", "model.json"))
    found = {"eager": inferencer.forward,
             f"Paddle Inference ({program.name})": deployed.paddle_forward(
                 program, Path(folder, "model.pdiparams"))}
    if not onnx:
        found["ONNX Runtime"] = deployed.onnx_forward(
            Path(folder, "model.onnx"))
    return found


class Tally:
    """What one engine did: seconds, equal pixels, scores."""

    def __init__(self, classes):
        self.network, self.whole = [], []
        self.equal = self.pixels = self.matrix = 0
        self.least = 1.0
        self.classes = classes

    def add(self, label, pred, first, ignore_index):
        same = int((pred == first).sum())
        self.equal, self.pixels = self.equal + same, self.pixels + pred.size
        self.least = min(self.least, same / pred.size)
        self.matrix = self.matrix + confusion(pred, label, self.classes,
                                              ignore_index)


def measure(inferencer, forwards, dataset, count, rounds):
    """{name: Tally}."""
    tallies = {name: Tally(dataset.num_classes) for name in forwards}
    for index in progress(range(count), count, "comparing"):
        image, label = dataset.read(index)
        first = None
        for turn in range(rounds):
            # Another one begins each time; the first time it is eager.
            names, shift = list(forwards), turn % len(forwards)
            for name in names[shift:] + names[:shift]:
                started, tally = time.perf_counter(), tallies[name]
                prepared = inferencer.prepare(image)
                inferencer.forward = timed(forwards[name], tally.network)
                pred, _ = inferencer.finish(
                    inferencer.maps([prepared])[0], prepared.info,
                    label.shape)
                tally.whole.append(time.perf_counter() - started)
                if turn == 0:
                    first = pred if first is None else first
                    tally.add(label, pred, first, dataset.ignore_index)
    return tallies


def timed(forward, seconds):
    def run(x):
        started = time.perf_counter()
        try:
            return forward(x)
        finally:
            seconds.append(time.perf_counter() - started)

    return run


def report(tallies, dataset, count, rounds):
    """Print a Markdown table; whether all agree."""
    print(f"\n{count} images, each {rounds} times, "
          f"{deployed.cpu_threads()} thread(s), median seconds an image:\n")
    print("| engine | network | with pre- and postprocessing | images a "
          "second | pixels as eager | worst image | mIoU |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    good = True
    for name, tally in tallies.items():
        whole = statistics.median(tally.whole)
        share = tally.equal / tally.pixels
        good &= share >= onnx_engine.AGREEMENT
        miou = Scores(tally.matrix, dataset.class_names).miou
        print(f"| {name} | {statistics.median(tally.network):.4f} | "
              f"{whole:.4f} | {1 / whole:.2f} | {share:.4%} | "
              f"{tally.least:.4%} | {miou:.4f} |")
    print(f"\nall agree on {onnx_engine.AGREEMENT:.1%} of the pixels: "
          f"{'yes' if good else 'NO'}")
    return good


def main():
    args = parse()
    config, options = trained.open_config(args, schema.EVALUATE)
    transforms, reverse = exporting.deploy_transforms(config, options)
    builder, network = trained.build_network(config, args.model_path)
    dataset = builder.val_dataset()
    inferencer, _ = trained.make_inferencer(
        network, options, transforms=dataset.transforms, engine="eager",
        first_picture=None)
    count = min(args.images or len(dataset), len(dataset))
    with tempfile.TemporaryDirectory(prefix="semiseg_export_") as folder:
        forwards = engines(network, inferencer, dataset, transforms, reverse,
                           args.form, folder)
        if forwards is None:
            return 1
        tallies = measure(inferencer, forwards, dataset, count, args.rounds)
    return 0 if report(tallies, dataset, count, args.rounds) else 1


if __name__ == "__main__":
    cli.run(main)

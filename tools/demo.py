# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Train with and without unlabelled images, compare, and draw the result.

    python tools/demo.py [--seed 0] [--save_dir output/demo]

Everything runs on the generated dataset ShapeScenes: nothing is downloaded.
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = {
    "supervised": "configs/supervised/supervised_shapescenes.yml",
    "CPS+CutMix": "configs/cps/cps_cutmix_shapescenes.yml",
}
SHOWN = 6


def call(script, *arguments):
    """Run a command line of the project; returns what it printed."""
    command = [sys.executable, script, *map(str, arguments)]
    print("$ python", *command[1:], flush=True)
    process = subprocess.Popen(command, cwd=ROOT, text=True,
                               stdout=subprocess.PIPE)
    lines = []
    for line in process.stdout:
        lines.append(line)
        print(line, end="", flush=True)
    if process.wait():
        sys.exit(process.returncode)
    return "".join(lines)


def run(config, folder, seed, opts):
    """Train, evaluate and predict with the last network; returns the mIoU."""
    call("train.py", "--config", config, "--save_dir", folder, "--seed", seed,
         *opts)
    last = max(folder.glob("iter_*"), key=lambda p: int(p.name[5:]))
    # Exporting to another engine costs more than these small images.
    network = ("--config", config, "--model_path", last, "--engine", "eager",
               *opts)
    printed = call("val.py", *network)
    images = next(folder.parent.glob("data/*/val/images"))
    call("predict.py", *network, "--image_path", images, "--save_dir",
         folder / "predictions")
    return float(re.search(r"^mIoU (\S+)", printed, re.M)[1])


def clock(seconds):
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save_dir", type=Path, default=Path("output/demo"))
    args = parser.parse_args()
    base = args.save_dir.resolve()
    started = time.monotonic()
    shutil.rmtree(base, ignore_errors=True)
    folders = {name: base / re.sub(r"\W+", "_", name.lower()) for name in RUNS}
    opts = ("--opts", *(f"{section}_dataset.cache_dir={base / 'data'}"
                        for section in ("train", "unlabeled", "val")))
    miou = {name: run(RUNS[name], folders[name], args.seed, opts)
            for name in RUNS}
    picture = base / "comparison.png"
    call("tools/draw_comparison.py", "--config", RUNS["supervised"],
         "--predictions", *(f / "predictions" for f in folders.values()),
         "--save_path", picture, "--count", SHOWN, *opts)

    first, second = miou.values()
    print(f"\nShapeScenes, 16 labelled and 240 unlabelled images, seed "
          f"{args.seed}, {clock(time.monotonic() - started)} in all")
    print(f"{'method':<14} {'mIoU':>7}")
    for name, value in miou.items():
        print(f"{name:<14} {value:7.4f}")
    print(f"{'gain':<14} {second - first:+7.4f}")
    print(f"\nimage, truth, {', '.join(RUNS)}: {picture}")
    for folder in folders.values():
        print(f"predictions: {folder / 'predictions'}")


if __name__ == "__main__":
    main()

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
sys.path.insert(0, str(ROOT))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import cv2  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs.builder import Builder  # noqa: E402
from contrib_semiseg.cvlibs.config import Config  # noqa: E402
from contrib_semiseg.engine import pictures  # noqa: E402
from contrib_semiseg.engine.console import clock  # noqa: E402

RUNS = {
    "supervised": "configs/supervised/supervised_shapescenes.yml",
    "CPS+CutMix": "configs/cps/cps_cutmix_shapescenes.yml",
}
SHOWN = 6


def call(script, *arguments, quiet=False):
    """Run a command line of the project; returns what it printed."""
    command = [sys.executable, script, *map(str, arguments)]
    print("$ python", *command[1:], flush=True)
    process = subprocess.Popen(command, cwd=ROOT, text=True,
                               stdout=subprocess.PIPE)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if not quiet:
            print(line, end="", flush=True)
    if process.wait():
        sys.exit(process.returncode)
    return "".join(lines)


def last_model(folder):
    """The folder of the newest checkpoint."""
    return max(folder.glob("iter_*"), key=lambda p: int(p.name[5:]))


def train_and_score(name, config, folder, seed):
    """Train a run and evaluate its last network; returns the mIoU."""
    call("train.py", "--config", config, "--save_dir", folder, "--seed", seed)
    out = call("val.py", "--config", config, "--model_path",
               last_model(folder), "--engine", "eager")
    return float(re.search(r"^mIoU (\S+)", out, re.M)[1])


def predict(folders, dataset, list_file):
    """Predict the first validation images with every run."""
    list_file.write_text("".join(
        f"{dataset.image_path(i)}\n" for i in range(SHOWN)))
    for name, folder in folders.items():
        call("predict.py", "--config", RUNS[name], "--model_path",
             last_model(folder), "--image_path", list_file, "--save_dir",
             folder / "predictions", "--engine", "eager", quiet=True)


def draw(folders, dataset, path):
    """A row per image: image, truth, and the prediction of each run."""
    rows = []
    for i in range(SHOWN):
        image, label = dataset.read(i)
        row = [image, pictures.colorize(label, dataset.palette)]
        stem = Path(dataset.image_path(i)).stem
        for folder in folders.values():
            found = next((folder / "predictions" / "color").rglob(
                f"{stem}.png"))
            row.append(cv2.imread(str(found))[..., ::-1])
        rows.append([cv2.resize(p, None, fx=1.5, fy=1.5,
                                interpolation=cv2.INTER_NEAREST) for p in row])
    # Two images side by side keep the picture short.
    half = (len(rows) + 1) // 2
    rows = [a + b for a, b in zip(rows[:half], rows[half:])]
    cv2.imwrite(str(path), pictures.panel(rows)[..., ::-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save_dir", type=Path, default=Path("output/demo"))
    args = parser.parse_args()
    started = time.monotonic()
    shutil.rmtree(args.save_dir, ignore_errors=True)
    folders = {name: (args.save_dir / re.sub(r"\W+", "_", name.lower()))
               for name in RUNS}
    miou = {name: train_and_score(name, RUNS[name], folders[name], args.seed)
            for name in RUNS}
    dataset = Builder(Config.load(RUNS["supervised"])).val_dataset()
    predict(folders, dataset, args.save_dir / "images.txt")
    picture = args.save_dir / "comparison.png"
    draw(folders, dataset, picture)

    first, second = miou.values()
    print(f"\nShapeScenes, 16 labelled and 240 unlabelled images, seed "
          f"{args.seed}, {clock(time.monotonic() - started)} in all")
    print(f"{'method':<14} {'mIoU':>7}")
    for name, value in miou.items():
        print(f"{name:<14} {value:7.4f}")
    print(f"{'gain':<14} {second - first:+7.4f}")
    print(f"\npictures (image, truth, supervised, CPS+CutMix): {picture}")
    for folder in folders.values():
        print(f"predictions: {folder / 'predictions'}")


if __name__ == "__main__":
    main()

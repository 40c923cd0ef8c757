# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Draw predictions of several runs beside the image and its mask.

    python tools/draw_comparison.py --config C --predictions DIR [DIR ...] \\
        --save_path comparison.png

Each DIR was written by predict.py from images of the config's validation set.
"""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import cv2  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs import cli, schema  # noqa: E402
from contrib_semiseg.cvlibs.builder import Builder  # noqa: E402
from contrib_semiseg.cvlibs.config import Config  # noqa: E402
from contrib_semiseg.cvlibs.errors import DataError  # noqa: E402
from contrib_semiseg.datasets.base import read_image  # noqa: E402
from contrib_semiseg.engine import pictures  # noqa: E402


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--config", required=True, help="configuration with the val_dataset")
    add("--opts", nargs="+", help="override keys, as of train.py")
    add("--predictions", nargs="+", required=True, type=Path, metavar="DIR",
        help="what predict.py --save_dir was given, for each run")
    add("--save_path", required=True, type=Path, help="the PNG to write")
    add("--count", type=int, default=6, help="images drawn at most")
    add("--columns", type=int, default=2, help="images side by side")
    add("--width", type=int, default=144, help="of one picture, pixels")
    return parser.parse_args()


def rows_of(dataset, folders):
    """Image, truth and predictions, of the images that every run has."""
    colored = [{p.stem: p for p in (folder / "color").rglob("*.png")}
               for folder in folders]
    for index in range(len(dataset)):
        stem = Path(dataset.image_path(index)).stem
        if all(stem in found for found in colored):
            image, label = dataset.read(index)
            yield [image, pictures.colorize(label, dataset.palette),
                   *(read_image(found[stem]) for found in colored)]


def main():
    args = parse()
    config = Config.load(args.config, args.opts)
    schema.check_config(config, ("val_dataset", "model"))
    dataset = Builder(config).val_dataset()
    rows = list(itertools.islice(rows_of(dataset, args.predictions),
                                 args.count))
    if not rows:
        raise DataError("no image of val_dataset has a prediction in each of "
                        f"{', '.join(map(str, args.predictions))}")
    height = round(args.width * rows[0][0].shape[0] / rows[0][0].shape[1])
    rows = [[cv2.resize(p, (args.width, height), interpolation=cv2.INTER_AREA
                        if i == 0 else cv2.INTER_NEAREST)
             for i, p in enumerate(row)] for row in rows]
    lines = [sum(rows[i:i + args.columns], [])
             for i in range(0, len(rows), args.columns)]
    args.save_path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.save_path), pictures.panel(lines)[..., ::-1])
    print(args.save_path)


if __name__ == "__main__":
    cli.run(main)

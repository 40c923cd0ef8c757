# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Write masks of pictures from any checkpoint, as a dataset to train on.

    python tools/make_pseudo_labels.py --config FILE.yml \
        --model_path output/run/best_model --image_path photos \
        --save_dir output/pseudo --min_confidence 0.8

    SAVE_DIR/masks/NAME.png   class indices, 255 where not sure enough
    SAVE_DIR/labels.csv       confidence of each picture
    SAVE_DIR/labels.txt       "image<TAB>mask", relative to SAVE_DIR
    SAVE_DIR/dataset.yml      the section train_dataset that reads them

The same command goes on with what a stopped one left.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import yaml  # noqa: E402

from contrib_semiseg.cvlibs import cli, schema  # noqa: E402
from contrib_semiseg.cvlibs.errors import ArgumentError  # noqa: E402
from contrib_semiseg.datasets.image_files import (  # noqa: E402
    find_images,
    first_readable,
    image_reader,
)
from contrib_semiseg.engine import (  # noqa: E402
    console,
    labeling,
    stages,
    trained,
)
from contrib_semiseg.engine.checkpoint import write_file  # noqa: E402

_DEFAULT = [{"type": "Normalize"}]


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    trained.add_options(parser)
    add = parser.add_argument
    add("--image_path", required=True, metavar="PATH",
        help="a picture, a folder, or a .txt list of pictures")
    add("--save_dir", default="output/pseudo_labels", metavar="DIR",
        help="folder of the dataset (default: output/pseudo_labels)")
    add("--min_confidence", type=float, default=0.0, metavar="P",
        help="pixels whose class has a smaller probability are ignored "
        "(default: 0, none is)")
    args = parser.parse_args()
    if not 0 <= args.min_confidence <= 1:
        raise ArgumentError("--min_confidence", args.min_confidence,
                            "a number in [0, 1]")
    return args


def dataset_section(config, builder, folder):
    """The configuration that trains on the folder: YAML text."""
    labeled = config.get("train_dataset") or {}
    valid = config.get("val_dataset") or {}
    reading = {k: valid[k] for k in ("image_range", "exif_rotation")
               if k in valid}
    section = {"type": "FolderDataset" if reading else "ListDataset",
               **reading, "dataset_root": str(folder),
               "list_file": "labels.txt",
               "transforms": labeled.get("transforms", _DEFAULT)}
    palette = trained.palette_of(config)
    if palette is not None:
        section["palette"] = [[int(v) for v in color] for color in palette]
    return yaml.safe_dump({"num_classes": builder.num_classes,
                           "train_dataset": section}, sort_keys=False)


def main():
    args = parse()
    folder = Path(args.save_dir)
    images = find_images(args.image_path, args.save_dir)
    config, options = trained.open_config(args, schema.PREDICT)
    builder, network = trained.build_network(config, args.model_path)
    options = {**options, "sum_softmax": True}
    record = {
        "weights": stages.files_digest([trained.weights_file(
            args.model_path)]),
        "test_config": options, "min_confidence": args.min_confidence,
        "image_path": os.path.abspath(args.image_path),
        "transforms": config.get("val_dataset.transforms")}
    if not stages.same_record(folder, record):
        stages.begin(folder, record)
    read = image_reader(config)
    inferencer, note = trained.make_inferencer(
        network, options, transforms=builder.val_transforms(),
        engine=args.engine, first_picture=lambda: first_readable(images, read))
    console.say(note)
    labels, broken = labeling.write_labels(
        inferencer, images, read=read, folder=folder,
        palette=trained.palette_of(config),
        ignore_index=builder.ignore_index,
        min_confidence=args.min_confidence,
        workers=config.get("num_workers", 1), skip_broken=True)
    write_file(folder / "labels.txt", labeling.labels_list(
        labels, images, folder, folder).encode())
    write_file(folder / "dataset.yml",
               dataset_section(config, builder, folder).encode())
    share = sum(row.labeled for row in labels) / max(1, len(labels))
    sure = sum(row.confidence for row in labels) / max(1, len(labels))
    console.say(f"{len(labels)} images labelled: {share:.1%} of the pixels, "
                f"mean confidence {sure:.3f}; train on them with _base_: "
                f"{folder / 'dataset.yml'}" +
                (f"; {len(broken)} could not be read" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    cli.run(main)

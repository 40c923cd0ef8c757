# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Prepare COCO 2017 as 81 classes (118287 + 5000 images).

    python tools/prepare_coco.py --from ~/Downloads

reads train2017.zip, val2017.zip and annotations_trainval2017.zip (with
--masks panoptic: panoptic_annotations_trainval2017.zip), unpacked or not, and
makes data/coco with train2017, val2017, masks, train.txt and val.txt. It can
be interrupted and run again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.datasets.coco import CLASS_NAMES  # noqa: E402
from contrib_semiseg.datasets.label_ids import KNOWN  # noqa: E402
from contrib_semiseg.preparation import coco, tool  # noqa: E402


def main(arguments=None):
    parser = tool.parser(__doc__.splitlines()[0], "data/coco",
                         "train2017.zip, val2017.zip and the annotations")
    parser.add_argument("--masks", choices=("instances", "panoptic"),
                        default="instances", help="the annotations that are "
                        "drawn (default: instances)")
    cli.add_switch(parser, "--ignore_crowd", "crowds, and the void of "
                   "panoptic masks, become 255 (default: their class, and "
                   "background)")
    args = parser.parse_args(arguments)
    coco.prepare(tool.target(args), args.places, KNOWN["coco"], CLASS_NAMES,
                 masks=args.masks, ignore_crowd=bool(args.ignore_crowd))


if __name__ == "__main__":
    cli.run(main)

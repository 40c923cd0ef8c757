# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Prepare PASCAL VOC 2012 with the masks of SBD (10582 + 1449 images).

    python tools/prepare_voc.py --from ~/Downloads

reads VOCtrainval_11-May-2012.tar and benchmark.tgz (or, in its place, the
known SegmentationClassAug.zip), unpacked or not, and makes data/voc with
JPEGImages, SegmentationClassAug, train_aug.txt and val.txt. It can be
interrupted and run again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.datasets.palettes import voc_colors  # noqa: E402
from contrib_semiseg.preparation import tool, voc  # noqa: E402


def main(arguments=None):
    args = tool.parser(__doc__.splitlines()[0], "data/voc",
                       "VOCtrainval_11-May-2012.tar and benchmark.tgz or "
                       "SegmentationClassAug.zip").parse_args(arguments)
    voc.prepare(tool.target(args), args.places, voc_colors())


if __name__ == "__main__":
    cli.run(main)

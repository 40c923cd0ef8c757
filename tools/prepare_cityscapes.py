# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Prepare Cityscapes with its 19 training classes (2975 + 500 images).

    python tools/prepare_cityscapes.py --from ~/Downloads

reads leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, unpacked or
not, and makes data/cityscapes with leftImg8bit, gtFine (labelTrainIds),
train.txt and val.txt. It can be interrupted and run again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.datasets.label_ids import class_table  # noqa: E402
from contrib_semiseg.preparation import cityscapes, tool  # noqa: E402


def main(arguments=None):
    args = tool.parser(__doc__.splitlines()[0], "data/cityscapes",
                       "leftImg8bit_trainvaltest.zip and "
                       "gtFine_trainvaltest.zip").parse_args(arguments)
    cityscapes.prepare(tool.target(args), args.places,
                       class_table("cityscapes"))


if __name__ == "__main__":
    cli.run(main)

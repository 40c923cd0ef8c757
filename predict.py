# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Predict pictures, folders, lists, patterns, videos or a camera.

    python predict.py --config FILE.yml --model_path output/run/best_model \
        --image_path photos --save_dir output/predictions [--resume]
"""

from contrib_semiseg import environment

environment.prepare()

from contrib_semiseg.cvlibs import cli, schema  # noqa: E402
from contrib_semiseg.datasets.image_files import (  # noqa: E402
    find_images,
    image_reader,
    is_video,
)
from contrib_semiseg.engine import prediction_command, trained  # noqa: E402


def main():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    trained.add_options(parser)
    prediction_command.add_options(parser)
    args = parser.parse_args()
    found = find_images(args.image_path, args.save_dir, videos=True)
    config, options = trained.open_config(args, schema.EVALUATE)
    result = prediction_command.run(
        args, config, options,
        [(path, name, is_video(path)) for path, name in found],
        image_reader(config))
    return 1 if result.broken else 0


if __name__ == "__main__":
    cli.run(main)

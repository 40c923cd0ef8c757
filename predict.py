# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Predict a picture, a folder of pictures or a list of them.

    python predict.py --config FILE.yml --model_path output/run/best_model \
        --image_path photos --save_dir output/predictions
"""

from contrib_semiseg import environment

environment.prepare()

from contrib_semiseg.cvlibs import cli, schema  # noqa: E402
from contrib_semiseg.datasets.image_files import (  # noqa: E402
    find_images,
    first_readable,
    image_reader,
)
from contrib_semiseg.engine import console, predictor, trained  # noqa: E402


def main():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    trained.add_options(parser)
    parser.add_argument("--image_path", required=True, metavar="PATH",
                        help="a picture, a folder, or a .txt list of pictures")
    parser.add_argument("--save_dir", default="output/result", metavar="DIR",
                        help="folder for the results (default: output/result)")
    args = parser.parse_args()
    images = find_images(args.image_path, args.save_dir)
    config, options = trained.open_config(args, schema.EVALUATE)
    builder, network = trained.build_network(config, args.model_path)
    read = image_reader(config)
    inferencer, note = trained.make_inferencer(
        network, options, transforms=builder.val_transforms(),
        engine=args.engine, first_picture=lambda: first_readable(images, read))
    console.say(note)
    broken = predictor.predict(
        inferencer, images, read=read, save_dir=args.save_dir,
        palette=trained.palette_of(config),
        workers=config.get("num_workers", 1))
    done = len(images) - len(broken)
    console.say(f"{done} images predicted: {args.save_dir}/"
                f"{{{','.join(predictor.FOLDERS)}}}" +
                (f"; {len(broken)} could not be read" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    cli.run(main)

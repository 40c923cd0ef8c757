# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a trained network on the validation set of a configuration.

    python val.py --config FILE.yml --model_path output/run/best_model
"""

from contrib_semiseg import environment

environment.prepare()

from contrib_semiseg.cvlibs import cli, schema  # noqa: E402
from contrib_semiseg.engine import console, trained  # noqa: E402
from contrib_semiseg.engine.evaluator import evaluate  # noqa: E402


def main():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    trained.add_options(parser)
    cli.add_switch(parser, "--center_crop",
                   "score the middle of each image, of --crop_size")
    args = parser.parse_args()
    config, options = trained.open_config(args, schema.EVALUATE)
    builder, network = trained.build_network(config, args.model_path)
    dataset = builder.val_dataset()
    inferencer, note = trained.make_inferencer(
        network, options, transforms=dataset.transforms, engine=args.engine,
        first_picture=lambda: dataset.read(0)[0])
    console.say(note)
    console.say(f"{len(dataset)} images, {dataset.num_classes} classes")
    scores = evaluate(inferencer, dataset,
                      workers=config.get("num_workers", 1))
    print(scores.table())
    print(scores.summary())


if __name__ == "__main__":
    cli.run(main)

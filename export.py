# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Export a trained network for Paddle Inference and ONNX Runtime.

    python export.py --config FILE.yml --model_path output/run/best_model \
        --save_dir output/export [--onnx]
"""

from contrib_semiseg import environment

environment.prepare()

from contrib_semiseg.cvlibs import cli, schema  # noqa: E402
from contrib_semiseg.datasets.image_files import image_reader  # noqa: E402
from contrib_semiseg.engine import (  # noqa: E402
    console,
    exporting,
    trained,
)
from contrib_semiseg.engine.static_graph import OUTPUT_OPS  # noqa: E402


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    trained.add_network_options(parser)
    add = parser.add_argument
    add("--save_dir", default="output/inference_model", metavar="DIR",
        help="folder for the files (default: output/inference_model)")
    add("--input_shape", nargs="+", type=int, metavar="N",
        help="N 3 H W of the input, -1 where it is free (default: -1 3 -1 "
        "-1)")
    add("--output_op", choices=OUTPUT_OPS, default="argmax",
        help="what follows the logits (default: argmax)")
    add("--form", choices=exporting.FORMS, default="auto",
        help="of the program for Paddle Inference: model.pdmodel, which "
        "PaddleSeg's script runs everywhere, or Paddle 3's model.json; auto "
        "takes the first where it is possible (default: auto)")
    cli.add_switch(parser, "--onnx", "write model.onnx as well")
    add("--image", metavar="FILE",
        help="picture to compare on (default: the first of val_dataset)")
    return parser.parse_args()


def main():
    args = parse()
    shape = exporting.input_shape(args.input_shape)
    need = schema.PREDICT if args.image else schema.EVALUATE
    config, options = trained.open_config(args, need)
    transforms, reverse = exporting.deploy_transforms(config, options)
    builder, network = trained.build_network(config, args.model_path)
    image = (image_reader(config)(args.image) if args.image else
             builder.val_dataset().read(0)[0])
    inferencer, _ = trained.make_inferencer(
        network, options, transforms=builder.val_transforms(),
        engine="eager", first_picture=None)
    agrees = exporting.export(
        network, folder=args.save_dir, transforms=transforms,
        pair=(inferencer.first_input(image),
              exporting.deployed_input(transforms, image)),
        reverse=reverse, shape=shape, output_op=args.output_op,
        form=args.form, onnx=bool(args.onnx), say=console.say)
    if agrees:
        console.say(f"exported: {args.save_dir}/{exporting.DEPLOY}")
    return 0 if agrees else 1


if __name__ == "__main__":
    cli.run(main)

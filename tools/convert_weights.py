# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Turn weights of a backbone into Paddle's format, or list what they hold.

    python tools/convert_weights.py resnet50_v1c.pth --list
    python tools/convert_weights.py resnet50_v1c.pth --backbone ResNet50Deep \
        --output resnet50_v1c.pdparams

The result is what `pretrained:` of that backbone takes. Every tensor must
find its place: a file that does not fit is an error.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402


def parse_args():
    parser = cli.Parser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", help="a .pth, .pt, .bin, .safetensors or "
                        ".pdparams file, or efficientnet_lite0")
    parser.add_argument("--list", action="store_true",
                        help="print names, types and shapes; write nothing")
    parser.add_argument("--backbone", metavar="TYPE",
                        help="type of the backbone, e.g. ResNet50Deep")
    parser.add_argument("--output", metavar="FILE", help="FILE.pdparams")
    args = parser.parse_args()
    if not args.list and not (args.backbone and args.output):
        parser.error("give --list, or --backbone and --output")
    return args


def backbone_of(name, weights):
    from contrib_semiseg.cvlibs.errors import ConfigError, nearest
    from contrib_semiseg.models import backbones

    known = backbones.__all__
    if name not in known:
        raise ConfigError(f"--backbone {name} is unknown; allowed: "
                          f"{', '.join(known)}{nearest(name, known)}")
    return getattr(backbones, name)(pretrained=weights)


def main():
    args = parse_args()
    import paddle

    from contrib_semiseg.cvlibs import weights

    if args.list:
        path = args.weights
        if path in weights.PACKAGED:
            path = weights.packaged_file(path)
        for name, value in weights.load_state(path).items():
            print(f"{name}  {value.dtype}  {list(value.shape)}")
        return
    network = backbone_of(args.backbone, args.weights)
    temporary = f"{args.output}.tmp"
    paddle.save(network.state_dict(), temporary)
    os.replace(temporary, args.output)
    print(f"{args.output}: {len(network.state_dict())} tensors of "
          f"{args.backbone}")


if __name__ == "__main__":
    cli.run(main)

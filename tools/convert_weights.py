# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Turn published weights into .pdparams, or list what a file holds.

    python tools/convert_weights.py resnet50-0676ba61.pth --list
    python tools/convert_weights.py resnet50-0676ba61.pth \
        --output resnet50.pdparams

The network is recognised by names and shapes of its tensors. The result is
what `pretrained:` of that network takes; every tensor of the network must
come from the file.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
import yaml  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs import cli, sections, weights  # noqa: E402
from contrib_semiseg.cvlibs.errors import (  # noqa: E402
    CheckpointError,
    nearest,
)
from contrib_semiseg.cvlibs.pretrained import locate  # noqa: E402
from contrib_semiseg.engine.checkpoint import save_network  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Family:
    """A network whose files are recognised by a few of their tensors.

    Attributes:
        section (dict): what a configuration says of it; `num_classes` gives
            way to that of the file.
        signs (dict of str to tuple): names of the network's tensors and
            their shapes; None stands for any length.
        lacks (str): a tensor that only a larger network has.
        classes (str, optional): the tensor whose length is the number of
            classes, of a network with a classifier.
    """

    section: dict
    signs: dict
    lacks: str
    classes: Optional[str] = None

    def rename(self, state):
        """{plain name: array} under the names of the network."""
        return sections.find("backbone", self.section["type"]).rename(state)

    def objections(self, state):
        """What speaks against a file, for each sign: a text, "" if nothing.

        Args:
            state (dict of str to np.ndarray): plain names.
        """
        state = self.rename(state)
        texts = []
        for name, shape in self.signs.items():
            found = list(np.shape(state[name])) if name in state else None
            fits = found is not None and len(found) == len(shape) and all(
                want in (None, have) for want, have in zip(shape, found))
            what = "missing" if found is None else f"of shape {found}"
            texts.append("" if fits else f"{name} is {what}")
        return [*texts, f"{self.lacks} has no place in it"
                if self.lacks in state else ""]


def _build(section):
    arguments = {k: _build(v) if isinstance(v, dict) else v
                 for k, v in section.items() if k != "type"}
    return sections.find("backbone", section["type"])(**arguments)


def _resnet(depth, stem):
    last = {50: 5, 101: 22}[depth]
    first = {"conv1.weight": (64, 3, 7, 7)} if stem == "standard" else {
        "conv1.0.weight": (64, 3, 3, 3), "conv1.6.weight": (128, 64, 3, 3)}
    return Family(
        {"type": "ResNet", "depth": depth, "stem": stem},
        {**first, "layer1.0.conv3.weight": (256, 64, 1, 1),
         f"layer3.{last}.conv1.weight": (256, 1024, 1, 1)},
        f"layer3.{last + 1}.conv1.weight")


def _lite(variant, last, width):
    return Family(
        {"type": "EfficientNetLite", "variant": variant},
        {"stem.conv.weight": (32, 3, 3, 3),
         f"blocks.{last}.depthwise.conv.weight": (None, 1, 3, 3),
         f"blocks.{last}.project.conv.weight": (width, None, 1, 1)},
        f"blocks.{last + 1}.project.conv.weight")


# A whole network comes before its backbone, whose signs it bears, too.
FAMILIES = {
    "deeplabv2_resnet101": Family(
        {"type": "DeepLabV2",
         "backbone": {"type": "ResNet", "depth": 101, "stem": "standard"},
         "num_classes": 21},
        {**{f"backbone.{name}": shape for name, shape in
            _resnet(101, "standard").signs.items()},
         **{f"classifier.{i}.weight": (None, 2048, 3, 3) for i in range(4)}},
        "backbone.layer3.23.conv1.weight", classes="classifier.0.weight"),
    "resnet50": _resnet(50, "standard"),
    "resnet101": _resnet(101, "standard"),
    "resnet50_deep": _resnet(50, "deep"),
    "resnet101_deep": _resnet(101, "deep"),
    "xception65": Family(
        {"type": "Xception65"},
        {"conv1.weight": (32, 3, 3, 3), "conv2.weight": (64, 32, 3, 3),
         "block2.sepconv1.pointwise.weight": (256, 128, 1, 1),
         "block20.sepconv3.pointwise.weight": (1024, 1024, 1, 1),
         "conv5.pointwise.weight": (2048, 1536, 1, 1)},
        "block21.sepconv1.pointwise.weight"),
    "efficientnet_lite0": _lite(0, 15, 320),
    "efficientnet_lite1": _lite(1, 20, 320),
    "efficientnet_lite2": _lite(2, 20, 352),
}
_COUNTER = ".num_batches_tracked"  # of BatchNorm; Paddle has none


def recognize(path, state):
    """Key of the family of a file, by the plain names of its tensors.

    Raises: CheckpointError, naming the nearest family and all.
    """
    found = {key: family.objections(state)
             for key, family in FAMILIES.items()}
    for key, texts in found.items():
        if not any(texts):
            return key

    def doubt(key):
        return sum(map(bool, found[key])) / len(found[key])

    near, hint = min(found, key=doubt), ""
    if doubt(near) <= 0.5:
        why = next(text for text in found[near] if text)
        hint = f"; the nearest is {near}, but {why}"
    raise CheckpointError(f"{path} fits no known network{hint}; known: "
                          f"{', '.join(FAMILIES)}")


def convert(path, state, key):
    """Build the network of a family with the tensors of a file.

    Prints what was matched, skipped and missing.

    Args:
        path (str): of the file, for messages.
        state (dict of str to np.ndarray): plain names.
        key (str): of `FAMILIES`.

    Returns: (Layer, dict): the network and its section of a configuration.
    Raises: CheckpointError, if tensors are missing or of another shape.
    """
    family = FAMILIES[key]
    renamed = {name: value for name, value in family.rename(state).items()
               if not name.endswith(_COUNTER)}
    section = dict(family.section)
    if family.classes in renamed:
        section["num_classes"] = len(renamed[family.classes])
    with paddle.LazyGuard():  # no random weights: all come from the file
        network = _build(section)
    final = weights.from_torch_layout(renamed, network) \
        if weights.is_torch(path, state) else renamed
    own = {k: v.shape for k, v in network.state_dict().items()}
    used = {id(value) for value, name in zip(renamed.values(), final)
            if name in own}
    fitting = [name for name, shape in own.items()
               if name in final and list(final[name].shape) == list(shape)]
    print(f"{path}: {key}\nmatched {len(fitting)} tensors")
    for what, names in (
            ("skipped", [name for name, value in state.items()
                         if id(value) not in used
                         and not name.endswith(_COUNTER)]),
            ("missing", [name for name in own if name not in final]),
            ("of another shape", [name for name in own if name in final
                                  and name not in fitting])):
        print(f"{what} {len(names)}{': ' if names else ''}{', '.join(names)}")
    weights.fit(network, {k: v for k, v in final.items() if k in own},
                f"{path}, taken for {key},")
    return network, section


def parse_args():
    parser = cli.Parser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", help="a .pth, .pt, .bin, .safetensors or "
                        ".pdparams file, a URL or a known name")
    parser.add_argument("--list", action="store_true",
                        help="print names, types and shapes; write nothing")
    parser.add_argument("--as", dest="family", metavar="NETWORK",
                        help="do not recognise the network; one of "
                        + ", ".join(FAMILIES))
    parser.add_argument("--output", metavar="FILE", help="FILE.pdparams")
    args = parser.parse_args()
    if not args.list and not (args.output or "").endswith(".pdparams"):
        parser.error("give --list, or --output FILE.pdparams")
    if args.family not in (None, *FAMILIES):
        parser.error(f"--as {args.family} is unknown; allowed: "
                     f"{', '.join(FAMILIES)}"
                     f"{nearest(args.family, FAMILIES)}")
    return args


def main():
    args = parse_args()
    path = locate(args.weights)
    state = weights.load_state(path)
    if args.list:
        for name, value in state.items():
            print(f"{name}  {value.dtype}  {list(value.shape)}")
        return
    state = weights.plain_names(state)
    network, section = convert(path, state,
                               args.family or recognize(path, state))
    save_network(network, args.output, digest=False)
    section["pretrained"] = args.output
    if "backbone" not in section:
        section = {"backbone": section}
    print(f"{args.output} is written; in a configuration:")
    print(yaml.safe_dump({"model": section}, sort_keys=False,
                         default_flow_style=None, width=1000), end="")


if __name__ == "__main__":
    cli.run(main)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the published networks, part by part, and the page on them.

Those of CPS, ST, UniMatch and DSSN are golden vectors.
"""

import inspect
import re
from pathlib import Path

import paddle
import pytest

from contrib_semiseg.cvlibs import manager
from tests.golden.build import count, network
from tests.support.networks import NAMES

PAGE = (Path(__file__).resolve().parents[2] /
        "docs/networks.md").read_text(encoding="utf-8")

_STANDARD = {50: 23_508_032, 101: 42_500_160}
_DEEP = {50: 23_631_808, 101: 42_623_936}
_ASPP = 15_535_104


def _cac(depth, classifier):
    return {"backbone": _STANDARD[depth], "aspp": _ASPP,
            "reduce+last_conv": 1_303_648, "classifier": classifier,
            "embedding": 98_688}


def _ctt_v2(classifier):
    return {"backbone": _STANDARD[101], "classifier": classifier,
            # Branches; gate and 3x3.
            "pyramid": 19_402_496 + 3_156_048}


def _ctt_v3(classifier):
    return {"backbone": _DEEP[101], "aspp": _ASPP, "reduce": 12_384,
            "last_conv": 1_291_264, "classifier": classifier}


def _u2pl(classifier, **more):
    return {"backbone": _DEEP[101], "reduce": 66_304,
            # ASPP, and the 3x3 that joins its branches.
            "aspp": 15_206_912 + 2_949_632,
            "last_conv+classifier": classifier, **more}


_REPRESENTATION, _AUX = {"embedding": 1_836_800}, {"aux": 2_364_947}
_SUPERVISED = {"embedding": None}
# Base, classes, changes, total, parts.
_ROWS = [
    ("deeplabv3plus_resnet50_cac", 21, {}, 40_450_869, _cac(50, 5_397)),
    ("deeplabv3plus_resnet50_cac", 19, {}, 40_450_355, _cac(50, 4_883)),
    ("deeplabv3plus_resnet101_cac", 21, {}, 59_442_997, _cac(101, 5_397)),
    ("deeplabv3plus_resnet101_cac", 19, {}, 59_442_483, _cac(101, 4_883)),
    ("pspnet_resnet50_cac", 21, {}, 47_044_693,
     {"backbone": _DEEP[50], "pyramid+last_conv": 23_073_792,
      "classifier": 10_773, "embedding": 328_320}),
    ("deeplabv2_resnet101_ctt", 21, {}, 65_064_080, _ctt_v2(5_376)),
    ("deeplabv2_resnet101_ctt", 19, {}, 65_063_568, _ctt_v2(4_864)),
    ("deeplabv3plus_resnet101_ctt", 21, {}, 59_468_085, _ctt_v3(5_397)),
    ("deeplabv3plus_resnet101_ctt", 19, {}, 59_467_571, _ctt_v3(4_883)),
    ("deeplabv3plus_resnet101_u2pl", 21, {}, 64_459_989,
     _u2pl(1_776_405, **_REPRESENTATION)),
    ("deeplabv3plus_resnet101_u2pl", 21, _SUPERVISED, 62_623_189,
     _u2pl(1_776_405)),
    ("deeplabv3plus_resnet101_u2pl", 19, {"aux_index": 2}, 66_824_422,
     _u2pl(1_775_891, **_REPRESENTATION, **_AUX)),
    ("deeplabv3plus_resnet101_u2pl", 19, {"aux_index": 2, **_SUPERVISED},
     64_987_622, _u2pl(1_775_891, **_AUX)),
]


@pytest.mark.parametrize("base, classes, changes, total, parts", _ROWS,
                         ids=lambda v: v if isinstance(v, str) else "")
def test_parameters(base, classes, changes, total, parts):
    with paddle.LazyGuard():  # sizes need no values
        net = network(base, classes, **changes)
    assert count(net) == total
    found = {name: count(*(getattr(net, part) for part in name.split("+")))
             for name in parts}
    assert found == parts
    assert sum(parts.values()) == total


def test_resnet50_of_the_published_networks():
    with paddle.LazyGuard():
        net = network("deeplabv3plus_resnet101_u2pl", 21,
                      backbone={"depth": 50})
    assert count(net.backbone) == _DEEP[50]


@pytest.mark.parametrize("base", NAMES)
def test_parameters_on_the_page(base):
    row = re.search(rf"^\| `{base}` \| ([\d,-]+ \| )+([\d,]+) \|$", PAGE, re.M)
    parts = [0 if cell == "-" else int(cell.replace(",", ""))
             for cell in row[0].strip("| ").split(" | ")[1:]]
    with paddle.LazyGuard():
        net = network(base, 21)
    sizes = {name: count(part) for name, part in net.named_children()}
    assert parts == [
        sizes["backbone"], sizes.get("aspp", 0) + sizes.get("pyramid", 0),
        sizes.get("reduce", 0) + sizes.get("last_conv", 0),
        sizes["classifier"], sizes.get("embedding", 0), count(net)]


@pytest.mark.parametrize("registry, name", [
    (manager.MODELS, "DeepLabV3Plus"), (manager.MODELS, "DeepLabV2"),
    (manager.MODELS, "PyramidNet"), (manager.BACKBONES, "ResNet"),
    (manager.BACKBONES, "Xception65"), (manager.BACKBONES, "SmallResNet"),
    (manager.BACKBONES, "EfficientNetLite")])
def test_every_option_is_on_the_page(registry, name):
    said = set(re.findall(r"`(\w+)", PAGE))
    assert name in said
    for option in inspect.signature(registry[name].__init__).parameters:
        assert option in said | {"self"}, option

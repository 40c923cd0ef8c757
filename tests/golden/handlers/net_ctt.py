# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the two networks of CTT."""

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.models.aspp import JointNormASPP
from contrib_semiseg.models.backbones.resnet import Bottleneck
from contrib_semiseg.models.deeplab_v2 import DeepLabV2
from contrib_semiseg.models.layers import batch_norm
from tests.golden.build import count, eval_and_train, load, network
from tests.golden.case import handles
from tests.golden.handlers.net_cps import _Channels, flat_state
from tests.golden.names import crc_normal, our_name

_MASK = 0x7fffffff


def _formula(name, shape):
    """Weight of a tensor from its canonical name and torch's shape."""
    z = crc_normal(name, shape, _MASK).astype(np.float32)
    if len(shape) == 4:
        z = z * np.sqrt(2 / np.prod(shape[1:]))
    elif len(shape) == 2:
        z = z / np.sqrt(shape[1])
    elif name.endswith("running_var"):
        z = 1 + 0.2 * abs(z)
    elif name.endswith(".weight"):
        z = (1 + 0.1 * z) * (0.2 if name.endswith("bn3.weight") else 1)
    else:
        z = 0.1 * z
    return z.astype(np.float32)


_CANONICAL = {
    "ctt_v2": ((r"backbone.", ""), ("pyramid.branches.",
                                    "layer5.conv2d_list."),
               ("pyramid.gate.", "layer5.bottleneck.0.se."),
               ("pyramid.project.0.", "layer5.bottleneck.1."),
               ("pyramid.project.1.", "layer5.bottleneck.2."),
               ("classifier.", "layer5.head.1.")),
    "ctt_v3": (("aspp.branches.", "head.aspp.map_convs."),
               ("aspp.norm.", "head.aspp.map_bn."),
               ("aspp.project.", "head.aspp.red_conv."),
               ("aspp.pool_conv.", "head.aspp.global_pooling_conv."),
               ("aspp.pool_norm.", "head.aspp.global_pooling_bn."),
               ("aspp.pool_project.", "head.aspp.pool_red_conv."),
               ("aspp.out_norm.", "head.aspp.red_bn."),
               ("reduce.0.", "head.reduce."),
               ("last_conv.0.0.", "head.last_conv.0."),
               ("last_conv.0.1.", "head.last_conv.1."),
               ("last_conv.1.0.", "head.last_conv.3."),
               ("last_conv.1.1.", "head.last_conv.4.")),
}


def _canonical(family, name):
    for ours, theirs in _CANONICAL[family]:
        if name.startswith(ours):
            name = theirs + name[len(ours):]
            break
    return name.replace("_variance", "running_var").replace(
        "_mean", "running_mean")


def _fill(net, family, strip=""):
    """Give every tensor of `net` the value that its name stands for."""
    linear = {f"{name}.weight" for name, part in net.named_sublayers()
              if isinstance(part, nn.Linear)}
    state = {}
    for key, value in net.state_dict().items():
        name = _canonical(family, key)
        assert our_name(family, name) == key
        shape = value.shape[::-1] if key in linear else value.shape
        name = name.removeprefix(strip)
        state[name] = _formula(name, list(shape))
    load(net, family, state)


@handles("ctt", "net_v2", "net_v3plus")
def whole(case):
    family = {"net_v2": "ctt_v2", "net_v3plus": "ctt_v3"}[case.kind]
    base = {"net_v2": "deeplabv2_resnet101_ctt",
            "net_v3plus": "deeplabv3plus_resnet101_ctt"}[case.kind]
    net = network(base, case.params["num_classes"])
    assert count(net) == case.params["total_params"]
    _fill(net, family)
    for layer in net.sublayers():
        if isinstance(layer, nn.Dropout2D):
            layer.p = 0.0
    for mode, out in zip(("eval", "train"), eval_and_train(
            net, case.tensor("in_x"), outputs=["scores", "feature"])):
        case.check(f"out_logits_{mode}", out["scores"])
        case.check(f"out_feat_{mode}", out["feature"][:, ::8])


@handles("ctt", "head_v2")
def head_v2(case):
    p = case.params
    net = DeepLabV2(num_classes=p["num_classes"], head="gated",
                    backbone=_Channels([p["in_channels"]]), backbone_index=0)
    _fill(net, "ctt_v2", "layer5.")
    net.eval()
    x = case.tensor("in_x")
    net.backbone.forward = lambda _: [x]
    with paddle.no_grad():
        out = net(x, outputs=["scores", "feature"])
    case.check("out_feat", out["feature"])
    case.check("out_logits", out["scores"])


@handles("ctt", "aspp_v3plus")
def aspp(case):
    p = case.params
    layer = JointNormASPP(
        in_channels=p["in_channels"], out_channels=p["out_channels"],
        hidden=p["hidden"], rates=p["rates"], norm=batch_norm())
    ours = flat_state(case)
    load(layer, "ctt_v3", {ours[k]: case[k] for k in ours}, "aspp.")
    first, second = eval_and_train(layer, case.tensor("in_x"))
    case.check("out_eval", first)
    case.check("out_train", second)


_BLOCKS = {
    "block_v2_stride2": dict(stride=2, stride_in_1x1=True),
    "block_v2_dilated": dict(dilation=2, stride_in_1x1=True),
    "block_v3plus_stride2": dict(stride=2),
    "block_v3plus_layer4": dict(dilation=2),
}


@handles("ctt", *_BLOCKS)
def block(case):
    p = case.params
    layer = Bottleneck(p["inplanes"], p["planes"], project=True,
                       norm=batch_norm(), **_BLOCKS[case.kind])
    state = {}
    for key, value in case.arrays.items():
        if key.startswith("in_") and key != "in_x":
            name = key.removeprefix("in_").replace("downsample_",
                                                   "downsample.")
            head, last = name.split("_", 1)
            state[f"{head}.{last}"] = value
    load(layer, "cps", state)
    layer.eval()
    case.check("out_y", layer(case.tensor("in_x")))

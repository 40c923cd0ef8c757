# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the parts of U2PL's network."""

import numpy as np
import paddle

from contrib_semiseg.models import DeepLabV3Plus, ResNet
from contrib_semiseg.models.aspp import ASPP
from contrib_semiseg.models.heads import auxiliary_head
from contrib_semiseg.models.layers import batch_norm
from tests.golden.build import load, section
from tests.golden.case import handles
from tests.golden.handlers.net_cps import _Channels
from tests.golden.names import fan_in

_BASE = "deeplabv3plus_resnet101_u2pl"


def _state(case):
    state = {}
    for number, name, shape in case.params["tensors"]:
        rng = np.random.RandomState(case.params["seed"] + number)
        if name.endswith("running_var"):
            value = 0.5 + rng.rand(*shape)
        elif len(shape) == 4:
            value = rng.randn(*shape) * np.sqrt(1 / fan_in(shape))
        elif name.endswith(".weight"):
            value = 1 + 0.1 * rng.randn(*shape)
        else:
            value = 0.1 * rng.randn(*shape)
        state[name] = value.astype(np.float32)
    return state


@handles("u2pl", "resnet_forward")
def resnet(case):
    options = {k: v for k, v in section(_BASE)["backbone"].items()
               if k != "type"}
    net = ResNet(**options, blocks=case.params["layers"])
    load(net, "u2pl", _state(case))
    net.eval()
    with paddle.no_grad():
        features = net(case.tensor("in_x"))
    for i, feature in enumerate(features, start=1):
        f = feature.numpy()
        case.check(f"out_x{i}", f[:, ::32])
        case.check(f"out_mean_std_x{i}", [f.mean(), f.std()])


def _aspp(p, out_channels):
    return ASPP(in_channels=p["in_planes"], hidden=p["inner_planes"],
                out_channels=out_channels, rates=p["dilations"],
                pool_first=True, kernel=3, norm=batch_norm())


@handles("u2pl", "aspp_forward")
def aspp(case):
    p = case.params
    layer = _aspp(p, p["inner_planes"])
    state = {f"aspp.{k}": v for k, v in _state(case).items()}
    # The vector ends before the convolution that joins the branches.
    for key, value in layer.project.state_dict().items():
        ours = {"_mean": "running_mean", "_variance": "running_var"}
        head, last = key.split(".")
        state[f"head.{head}.{ours.get(last, last)}"] = value.numpy()
    load(layer, "u2pl", state, "aspp.")
    layer.eval()
    case.check("out", layer.join(case.tensor("in_x")))


@handles("u2pl", "decoder_forward")
def decoder(case):
    p = case.params
    low, deep = case.tensor("in_x1"), case.tensor("in_x4")
    options = {k: v for k, v in section(_BASE).items()
               if k not in ("type", "backbone")}
    net = DeepLabV3Plus(
        num_classes=p["num_classes"],
        backbone=_Channels([low.shape[1], 0, 0, deep.shape[1]]), **options)
    # The vector's branches are narrower than what they are joined to.
    net.aspp = _aspp(p, net.aspp.project[1].weight.shape[0])
    load(net, "u2pl", _state(case))
    net.eval()
    with paddle.no_grad():
        feature, source = net.decode([low, deep])
        case.check("out_pred", net.score(feature))
        case.check("out_rep", net.embedding(source)[:, ::4])


@handles("u2pl", "aux_head_forward")
def auxiliary(case):
    p = case.params
    hidden = p["tensors"][0][2][0]
    head = auxiliary_head(p["in_planes"], hidden, p["num_classes"], drop=0.1,
                          norm=batch_norm(), init="uniform")
    load(head, "u2pl", _state(case), "aux.")
    head.eval()
    case.check("out", head(case.tensor("in_x")))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the two networks of CAC."""

import json

import numpy as np
import paddle
import paddle.nn.functional as F

from tests.golden.build import load, network
from tests.golden.case import handles
from tests.golden.names import fan_in, mixed


def _formula(number, shape, kind):
    u = mixed(int(np.prod(shape)), number)
    signed = 2 * u - 1
    value = {
        "conv_weight": lambda: signed * np.sqrt(3 / fan_in(shape)),
        "conv_bias": lambda: 0.1 * signed,
        "bn_weight": lambda: 0.8 + 0.4 * u,
        "bn_bias": lambda: 0.2 * signed,
        "bn_mean": lambda: 0.2 * signed,
        "bn_var": lambda: 0.5 + u,
    }[kind]()
    return value.reshape(shape).astype(np.float32)


def _outputs(case, base):
    """The network with the case's weights, and its outputs by name."""
    table = json.loads((case.folder / case.params["param_table"]).read_text())
    state = {name: _formula(number, shape, kind)
             for number, name, shape, kind in table}
    classes = max(s[0] for _, name, s, _ in table
                  if name.startswith("classifier"))
    net = network(base, classes)
    load(net, "cac", state)
    net.eval()
    with paddle.no_grad():
        out = net(case.tensor("in_image"), outputs=[
            "backbone", "feature", "scores", "logits", "embedding"])
    case.check("out_logits_low", out["scores"])
    case.check("out_logits_full", out["logits"][:, :, 2::5, 1::5])
    case.check("out_c5", out["backbone"][3][:, :32])
    return net, out


@handles("cac", "net_deeplab_r50")
def deeplab(case):
    net, out = _outputs(case, "deeplabv3plus_resnet50_cac")
    case.check("out_low", out["backbone"][0][:, :4])
    case.check("out_decoder", out["feature"][:, :16])
    with paddle.no_grad():
        case.check("out_aspp", net.aspp(out["backbone"][3])[:, :32])
        pooled = F.avg_pool2d(out["feature"], 2)
        case.check("out_pooled_logits", net.score(pooled))
        case.check("out_embed", F.normalize(net.embedding(pooled), axis=1))


@handles("cac", "net_psp_r50")
def psp(case):
    net, out = _outputs(case, "pspnet_resnet50_cac")
    case.check("out_psp", out["feature"][:, :32])
    case.check("out_embed", F.normalize(out["embedding"], axis=1))
    stem = net.backbone
    with paddle.no_grad():
        x = F.relu(stem.bn1(stem.conv1(case.tensor("in_image"))))
        case.check("out_stem", F.max_pool2d(x, 3, 2, 1)[:, :4])

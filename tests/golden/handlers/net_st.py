# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the networks of ST: heads, wholes, sizes, first draws."""

import numpy as np
import paddle

from contrib_semiseg.models.aspp import ASPP
from contrib_semiseg.models.deeplab_v2 import SumClassifier
from contrib_semiseg.models.layers import batch_norm
from contrib_semiseg.models.pspnet import PyramidNet
from contrib_semiseg.models.segmentor import Segmentor
from tests.golden.build import count, load, network
from tests.golden.case import handles
from tests.golden.handlers.net_cps import _Channels
from tests.golden.names import fan_in, murmur, our_name, shapes


def _arrays(case, prefix="in_"):
    skipped = {"in_x", "in_feat", "in_out_size"}
    return {k.removeprefix(prefix): v for k, v in case.arrays.items()
            if k.startswith(prefix) and k not in skipped}


@handles("st", "head_aspp_small")
def aspp(case):
    x = case.tensor("in_x")
    layer = ASPP(in_channels=x.shape[1], out_channels=x.shape[1] // 8,
                 hidden=x.shape[1] // 8,
                 rates=case.params["rates"], norm=batch_norm(), drop=0.5)
    load(layer, "st", {f"head.{k}": v for k, v in _arrays(case).items()},
         "aspp.")
    layer.eval()
    width = x.shape[1] // 8
    joined = layer.join(x)
    for i in range(len(case.params["rates"]) + 2):
        case.check(f"out_b{i}",
                   joined[:, i * width:(i + 1) * width, ::2, ::2])
    case.check("out_y", layer(x))


@handles("st", "head_psp_small")
def psp(case):
    x = case.tensor("in_x")
    width = case["in_conv5.1.weight"].shape[0]
    net = PyramidNet(
        num_classes=case["in_conv5.5.weight"].shape[0],
        backbone=_Channels([x.shape[1]]), backbone_index=0, channels=width,
        bins=case.params["bins"], dropout=0.1)
    load(net, "st", {f"head.{k}": v for k, v in _arrays(case).items()})
    net.eval()
    case.check("out_pyramid", net.pyramid(x))
    feature, _ = net.decode([x])
    case.check("out_y", net.score(feature))


@handles("st", "head_deeplabv2_small")
def deeplab_v2(case):
    x = case.tensor("in_feat")
    state = _arrays(case)
    layer = SumClassifier(x.shape[1], state["classifier.0.weight"].shape[0],
                          case.params["dilations"], "gaussian")
    load(layer, "st", state, "classifier.")
    low = layer(x)
    case.check("out_low", low)
    net = Segmentor(backbone=_Channels([x.shape[1]]), taps=[0],
                    align_corners=True)
    size = [int(n) for n in case["in_out_size"]]
    case.check("out_logits", net.enlarge(low, size)[..., ::5, ::5])


def _formula(name, shape, number):
    u = murmur(int(np.prod(shape)), number)
    if len(shape) == 4:
        value = (2 * u - 1) * np.sqrt(6 / fan_in(shape))
    elif name.endswith("running_var"):
        value = 0.8 + 0.4 * u
    elif name.endswith("running_mean"):
        value = 0.1 * (2 * u - 1)
    elif name.endswith("bn3.weight"):
        value = 0.2 + 0.2 * u
    elif name.endswith(".weight"):
        value = 0.8 + 0.4 * u
    else:
        value = 0.1 * (2 * u - 1)
    return value.reshape(shape).astype(np.float32)


@handles("st", "net_deeplabv3plus", "net_pspnet", "net_deeplabv2")
def whole(case):
    kind = case.kind.removeprefix("net_")
    net = _network(kind, case.params["backbone"], case.params["nclass"])
    state = {name: _formula(name, shape, k)
             for k, (name, shape) in enumerate(shapes(case))}
    total = sum(v.astype(np.float64).sum() for v in state.values())
    np.testing.assert_allclose(total, case["in_param_sum"][0], rtol=1e-6)
    load(net, "st", state)
    height, width = (int(n) for n in case["in_hw"])
    x = 2 * (2 * murmur(3 * height * width, 100000) - 1)
    np.testing.assert_allclose(x[:8], case["in_x_first"], rtol=1e-6)
    x = paddle.to_tensor(x.reshape(1, 3, height, width).astype(np.float32))
    net.eval()
    with paddle.no_grad():
        out = net(x, outputs=["backbone", "logits"])
    for i, feature in enumerate(out["backbone"], start=1):
        f = feature.numpy()
        case.check(f"out_c{i}_shape", f.shape)
        case.check(f"out_c{i}_sub",
                   f[:, ::max(1, f.shape[1] // 16), ::3, ::3])
        case.check(f"out_c{i}_stats", [f.mean(), f.std(), f.max()])
    logits = out["logits"].numpy()
    case.check("out_logits_shape", logits.shape)
    case.check("out_logits_sub", logits[:, :, ::6, ::6])
    case.check("out_logits_stats", [logits.mean(), logits.std(),
                                    logits.min(), logits.max()])
    argmax = logits.argmax(axis=1)[0]
    assert (argmax != case["out_argmax"]).mean() < 0.005
    case.mark("out_argmax")


def _network(kind, backbone, classes):
    base = "pspnet" if kind == "pspnet" else kind
    depth = int(backbone.removeprefix("resnet"))
    stored = 101 if kind == "deeplabv2" else depth
    return network(f"{base}_resnet{stored}_st", classes,
                   backbone={"depth": depth})


@handles("st", "param_counts")
def param_counts(case):
    rows = []
    for name in case["in_name"]:
        kind, backbone, classes = str(name).split("/")
        net = _network(kind, backbone, int(classes))
        if kind == "pspnet":
            parts = [count(net.pyramid, net.last_conv, net.classifier),
                     0, 0, 0]
        elif kind == "deeplabv2":
            parts = [0, 0, 0, count(net.classifier)]
        else:
            parts = [count(getattr(net, part)) for part in
                     ("aspp", "reduce", "last_conv", "classifier")]
        rows.append([count(net), count(net.backbone), *parts])
    case.check("out_counts", rows)


@handles("st", "init_law")
def init_law(case):
    paddle.seed(1)
    nets = {}
    for name, row in zip(case["in_name"], case["out_mean_std_min_max_n"]):
        kind, name = str(name).split(":")
        if kind not in nets:
            nets[kind] = _network(kind, "resnet50", 21).state_dict()
        value = nets[kind][our_name("st", name)].numpy()
        assert value.size == row[4]
        np.testing.assert_allclose(
            value.std(), row[1], rtol=0.35 if value.size < 100 else 0.03,
            err_msg=name)
        assert abs(value.mean()) < 5 * row[1] / np.sqrt(value.size), name
        if kind == "deeplabv2" and name.endswith("bias"):
            bound = nets[kind][our_name("st", name[:-4] + "weight")]
            bound = fan_in(bound.shape) ** -0.5
        elif name.startswith("backbone") or kind == "deeplabv2":
            assert abs(value).max() > 2.5 * row[1], name
            continue
        else:
            weight = nets[kind][our_name("st", name.rpartition(".")[0] +
                                         ".weight")]
            bound = fan_in(weight.shape) ** -0.5
        assert abs(value).max() <= bound * (1 + 1e-6), name
        assert abs(value).max() > bound * (1 - 12 / value.size), name
    case.mark("out_mean_std_min_max_n")

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the deep-stem ResNet with the DeepLabV3+ head."""

import re

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.cvlibs.weights import fit
from contrib_semiseg.engine.optimizer import param_groups
from contrib_semiseg.models import DeepLabV3Plus, ResNet50Deep, ResNet101Deep
from contrib_semiseg.models.deeplab import ASPP
from tests.golden.case import handles

_BACKBONES = {50: ResNet50Deep, 101: ResNet101Deep}
# Beginnings of the vectors' names, and of ours.
_ASPP = {
    "map_convs": "branches", "map_bn": "norm", "red_conv": "project",
    "global_pooling_conv": "pool_conv", "global_pooling_bn": "pool_norm",
    "pool_red_conv": "pool_project", "red_bn": "out_norm",
}
_LAST_CONV = {"0": "0.0", "1": "0.1", "3": "1.0", "4": "1.1"}
_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}


def our_name(name):
    """A name of the vectors ("head.aspp.map_bn.weight") as ours."""
    name = name.removeprefix("head.")
    parts = name.split(".")
    if parts[0] == "aspp":
        parts[1] = _ASPP[parts[1]]
    if parts[0] == "last_conv":
        parts[1] = _LAST_CONV[parts[1]]
    parts[-1] = _STATISTICS.get(parts[-1], parts[-1])
    return ".".join(parts)


def _formula(name, shape, draw):
    """Weight of a tensor from its standard normal draw, float32."""
    last = name.rpartition(".")[2]
    if len(shape) == 4:
        draw = draw * np.sqrt(2 / np.prod(shape[1:]))
    elif last == "running_var":
        draw = np.exp(0.1 * draw)
    elif last == "weight":
        draw = 1 + 0.1 * draw
    else:
        draw = 0.1 * draw
    return draw.astype(np.float32)


def _shapes(case):
    return [(str(name), [int(n) for n in re.split("[,x]", str(shape))])
            for name, shape in zip(case["in_names"], case["in_shapes"])]


def _network(depth, classes):
    return DeepLabV3Plus(num_classes=classes, backbone=_BACKBONES[depth]())


@handles("cps", "network")
def network(case):
    p = case.params
    state = {our_name(name): _formula(
        name, shape, np.random.RandomState(p["seed"] + t).standard_normal(
            shape)) for t, (name, shape) in enumerate(_shapes(case))}
    net = _network(p["depth"], p["C"])
    fit(net, state, repr(case))
    x = np.random.RandomState(p["seed"] - 1).standard_normal(
        (p["N"], 3, p["H"], p["W"])).astype(np.float32)
    np.testing.assert_array_equal(x, case["in_x"])
    x = paddle.to_tensor(x)
    with paddle.no_grad():
        net.eval()
        features = net.backbone(x)
        head = net.decode(features)
        case.check("out_eval_logits", net(x)[0])
        net.train()
        case.check("out_train_logits", net(x)[0])
    case.check("out_eval_stage_shapes", [f.shape for f in features])
    case.check("out_eval_stage_mean", [f.numpy().mean() for f in features])
    case.check("out_eval_stage_std", [f.numpy().std() for f in features])
    case.check("out_eval_head_shape", head.shape)
    case.check("out_eval_head_mean_std",
               [head.numpy().mean(), head.numpy().std()])


@handles("cps", "aspp_small")
def aspp_small(case):
    p = case.params
    aspp = ASPP(in_channels=p["cin"], out_channels=p["cout"],
                hidden=p["hidden"], rates=p["rates"])
    ours = {}
    for key in case.arrays:
        name = key.removeprefix("in_")
        theirs = next((a for a in sorted(_ASPP, key=len, reverse=True)
                       if name.startswith(a)), None)
        if not key.startswith("in_") or theirs is None:
            continue
        rest = name[len(theirs) + 1:]
        rest = re.sub(r"^(\d+)_", r"\1.", _STATISTICS.get(rest, rest))
        ours[key] = f"{_ASPP[theirs]}.{rest}"
    fit(aspp, {name: case[key] for key, name in ours.items()}, repr(case))
    x = case.tensor("in_x")
    aspp.eval()
    case.check("out_eval", aspp(x))
    before = {k: v.numpy().copy() for k, v in aspp.state_dict().items()}
    aspp.train()
    case.check("out_train", aspp(x))
    after = aspp.state_dict()
    for key, name in ours.items():
        if not key.endswith(("running_mean", "running_var")):
            continue
        value = after[name].numpy()
        if key.endswith("running_var"):
            # The vectors hold the unbiased batch variance, Paddle the other.
            n = x.shape[0] * (1 if name.startswith("pool") else
                              x.shape[2] * x.shape[3])
            old = 0.9 * before[name]
            value = old + (value - old) * n / (n - 1)
        case.check("out_after_train_" + key.removeprefix("in_"), value)


class _Channels(nn.Layer):
    """Stands for a backbone where only its widths matter."""

    def __init__(self, feat_channels):
        super().__init__()
        self.feat_channels = feat_channels


@handles("cps", "head_init_law")
def head_init_law(case):
    shapes = dict(_shapes(case))
    low = shapes["head.reduce.0.weight"]
    branch = shapes["head.aspp.map_convs.0.weight"]
    paddle.seed(0)
    heads = [DeepLabV3Plus(
        num_classes=case.params["C"], aspp_channels=branch[0],
        low_channels=low[0],
        decoder_channels=shapes["head.last_conv.0.weight"][0],
        backbone=_Channels([low[1], 0, 0, branch[1]])) for _ in range(2)]
    states = [h.state_dict() for h in heads]
    case.check("out_theory", [np.sqrt(2 / np.prod(s[1:]))
                              for s in shapes.values()], rtol=1e-6)
    for i, (name, shape) in enumerate(shapes.items()):
        weights = [s[our_name(name)].numpy() for s in states]
        assert list(weights[0].shape) == shape, name
        assert not np.allclose(*weights), name
        if np.prod(shape) > 5000:
            for w in weights:
                np.testing.assert_allclose(w.std(), case["out_theory"][i],
                                           err_msg=name, **case.tolerance(""))
                assert abs(w.mean()) < 5 * w.std() / np.sqrt(w.size), name
                # A uniform law of this deviation ends at 1.73 of it.
                assert abs(w).max() > 2.5 * w.std(), name
    bound = case.params["bias_bound"]
    bias = np.abs([s["classifier.bias"].numpy() for s in states])
    assert bias.max() <= bound
    # Uniform: the largest of n draws falls short of the bound by 1/n or so.
    assert bias.max() > bound * (1 - 8 / bias.size)
    case.mark("out_std_branch1", "out_std_branch2",
              "out_classifier_bias_absmax")
    for norm in heads[0].sublayers():
        if isinstance(norm, nn.BatchNorm2D):
            assert (norm._epsilon, norm._momentum) == (1e-5, 0.9)
            assert (norm.weight.numpy() == 1).all()
            assert (norm.bias.numpy() == 0).all()


def _count(parameters):
    """Trainable numbers: Paddle lists running statistics as well."""
    return sum(int(np.prod(p.shape)) for p in parameters
               if not p.stop_gradient)


@handles("cps", "optimizer_groups")
def optimizer_groups(case):
    default = case.params["default_weight_decay"]
    depth = int(re.search(r"resnet(\d+)", case.params["backbone"]).group(1))
    net = _network(depth, case.params["C"])
    parts = [net.backbone,
             nn.LayerList([net.aspp, net.reduce, net.last_conv]),
             net.classifier]
    rows = []
    for part in parts:
        groups = param_groups(part, weight_decay=default,
                              weight_decay_on="weights")
        assert [g["learning_rate"] for g in groups] == [1.0, 1.0]
        for group in sorted(groups, key=lambda g: -g["weight_decay"]):
            decay = group["weight_decay"]
            rows.append((len(group["params"]), _count(group["params"]),
                         -1 if decay == default else decay))
    tensors, elements, decays = zip(*rows)
    case.check("out_tensors", tensors)
    case.check("out_elements", elements)
    case.check("out_weight_decay", decays)
    sizes = {name: _count(getattr(net, name).parameters())
             for name in case.params["parts"] if hasattr(net, name)}
    sizes["branch"] = _count(net.parameters())
    # The two branches are built by one and the same call.
    sizes["total"] = 2 * sizes["branch"]
    case.check("out_part_params", [sizes[n] for n in case.params["parts"]])

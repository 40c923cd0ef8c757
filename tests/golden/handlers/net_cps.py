# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the networks of CPS, and its parameter groups."""

import re

import numpy as np
import paddle
from paddle import nn

from contrib_semiseg.engine.optimizer import param_groups
from contrib_semiseg.models import DeepLabV3Plus
from contrib_semiseg.models.aspp import JointNormASPP
from contrib_semiseg.models.layers import batch_norm
from tests.golden.build import count, load, network
from tests.golden.case import handles
from tests.golden.names import fan_in, our_name, shapes


def _formula(name, shape, draw):
    """Weight of a tensor from its standard normal draw, float32."""
    last = name.rpartition(".")[2]
    if len(shape) == 4:
        draw = draw * np.sqrt(2 / fan_in(shape))
    elif last == "running_var":
        draw = np.exp(0.1 * draw)
    elif last == "weight":
        draw = 1 + 0.1 * draw
    else:
        draw = 0.1 * draw
    return draw.astype(np.float32)


def _network(depth, classes):
    return network(f"deeplabv3plus_resnet{depth}_cps", classes)


@handles("cps", "network")
def whole(case):
    p = case.params
    state = {name: _formula(
        name, shape, np.random.RandomState(p["seed"] + t).standard_normal(
            shape)) for t, (name, shape) in enumerate(shapes(case))}
    net = _network(p["depth"], p["C"])
    load(net, "cps", state)
    x = np.random.RandomState(p["seed"] - 1).standard_normal(
        (p["N"], 3, p["H"], p["W"])).astype(np.float32)
    np.testing.assert_array_equal(x, case["in_x"])
    x = paddle.to_tensor(x)
    with paddle.no_grad():
        net.eval()
        out = net(x, outputs=["backbone", "feature", "logits"])
        case.check("out_eval_logits", out["logits"])
        net.train()
        case.check("out_train_logits", net(x)[0])
    features, head = out["backbone"], out["feature"]
    case.check("out_eval_stage_shapes", [f.shape for f in features])
    case.check("out_eval_stage_mean", [f.numpy().mean() for f in features])
    case.check("out_eval_stage_std", [f.numpy().std() for f in features])
    case.check("out_eval_head_shape", head.shape)
    case.check("out_eval_head_mean_std",
               [head.numpy().mean(), head.numpy().std()])


@handles("cps", "aspp_small")
def aspp_small(case):
    p = case.params
    aspp = JointNormASPP(in_channels=p["cin"], out_channels=p["cout"],
                         hidden=p["hidden"], rates=p["rates"],
                         norm=batch_norm())
    ours = flat_state(case)
    load(aspp, "cps", {ours[k]: case[k] for k in ours}, "aspp.")
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
        name = our_name("cps", name).removeprefix("aspp.")
        value = after[name].numpy()
        if key.endswith("running_var"):
            n = x.shape[0] * (1 if name.startswith("pool") else
                              x.shape[2] * x.shape[3])
            # The inverse of what `biased` does to the vector.
            old = 0.9 * before[name]
            value = old + (value - old) * n / (n - 1)
        case.check("out_after_train_" + key.removeprefix("in_"), value)


def flat_state(case):
    """Arrays of the joint-norm ASPP: key -> the whole network's name."""
    result = {}
    for key in case.arrays:
        match = re.fullmatch(
            r"in_(\w+?)(?:_(\d))?_(weight|bias|running_mean|running_var)",
            key)
        if match:
            name, index, last = match.groups()
            index = f".{index}" if index else ""
            result[key] = f"head.aspp.{name}{index}.{last}"
    return result


class _Channels(nn.Layer):
    """Stands for a backbone where only its widths matter."""

    def __init__(self, feat_channels):
        super().__init__()
        self.feat_channels = feat_channels


@handles("cps", "head_init_law")
def head_init_law(case):
    sizes = dict(shapes(case))
    low = sizes["head.reduce.0.weight"]
    branch = sizes["head.aspp.map_convs.0.weight"]
    paddle.seed(0)
    heads = [DeepLabV3Plus(
        num_classes=case.params["C"], aspp_channels=branch[0],
        low_channels=low[0],
        decoder_channels=sizes["head.last_conv.0.weight"][0],
        backbone=_Channels([low[1], 0, 0, branch[1]])) for _ in range(2)]
    states = [h.state_dict() for h in heads]
    case.check("out_theory", [np.sqrt(2 / fan_in(s))
                              for s in sizes.values()], rtol=1e-6)
    for i, (name, shape) in enumerate(sizes.items()):
        weights = [s[our_name("cps", name)].numpy() for s in states]
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
    return sum(int(np.prod(p.shape)) for p in parameters)


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
    sizes = {name: count(getattr(net, name))
             for name in case.params["parts"] if hasattr(net, name)}
    sizes["branch"] = count(net)
    # The two branches are built by one and the same call.
    sizes["total"] = 2 * sizes["branch"]
    case.check("out_part_params", [sizes[n] for n in case.params["parts"]])

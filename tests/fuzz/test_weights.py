# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files of weights, whatever they hold: arrays or one clean error."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from safetensors.numpy import save

from contrib_semiseg.cvlibs.plain_pickle import _OPCODES
from contrib_semiseg.cvlibs.weights import fit, load_state
from contrib_semiseg.engine import checkpoint
from contrib_semiseg.engine.optimizer import SGD
from tests.support.fuzzing import damaged, outcome, properties
from tests.support.line import Line
from tests.support.torch_format import Tensor, legacy_bytes, zip_bytes

ARRAYS = {"a": np.arange(6, dtype="<f4").reshape(2, 3),
          "b": np.array(3, "<i8"), "c": np.array([True, False])}
TENSORS = {key: Tensor(value) for key, value in ARRAYS.items()}
FOLDER = tempfile.TemporaryDirectory()
FILES = {
    ".pdparams": [pickle.dumps(ARRAYS, n) for n in (2, 3, 4, 5)],
    ".pth": [zip_bytes(TENSORS), legacy_bytes(TENSORS)],
    ".safetensors": [save(ARRAYS)],
}


def read(suffix, data):
    path = Path(FOLDER.name, f"weights{suffix}")
    path.write_bytes(data)
    state = outcome(lambda: load_state(str(path)), path)
    for key, value in (state or {}).items():
        assert type(key) is str and type(value) is np.ndarray
        assert value.dtype.kind in "fiub"
        assert value.nbytes <= 8 * len(data)
    if state is not None:
        method = Line()
        outcome(lambda: fit(method, state, str(path)), path)
    return state


def test_the_files_are_read_before_they_are_damaged():
    for suffix, originals in FILES.items():
        for data in originals:
            state = read(suffix, data)
            assert set(state) == set(ARRAYS)
            for key, value in ARRAYS.items():
                np.testing.assert_array_equal(state[key], value)


@properties(300, case=st.sampled_from(sorted(FILES)).flatmap(
    lambda suffix: st.tuples(st.just(suffix), damaged(FILES[suffix]))))
def check_damaged(case):
    read(*case)


test_damaged, test_damaged_long = check_damaged

NAMES = [(b"collections", b"OrderedDict"), (b"numpy", b"ndarray"),
         (b"numpy", b"dtype"), (b"numpy.core.multiarray", b"_reconstruct"),
         (b"torch._utils", b"_rebuild_tensor_v2"), (b"torch", b"FloatStorage"),
         (b"_codecs", b"encode"), (b"builtins", b"eval"), (b"os", b"system")]
# Arguments of the opcodes that have one.
ARGUMENTS = {
    "GLOBAL": st.sampled_from([b"%s\n%s\n" % name for name in NAMES]),
    "BININT": st.binary(min_size=4, max_size=4),
    "BININT1": st.binary(min_size=1, max_size=1),
    "BININT2": st.binary(min_size=2, max_size=2),
    "BINFLOAT": st.binary(min_size=8, max_size=8),
    "BINGET": st.sampled_from([b"\0", b"\1", b"\2"]),
    "BINPUT": st.sampled_from([b"\0", b"\1", b"\2"]),
    "LONG_BINPUT": st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\x7f"]),
    "LONG_BINGET": st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\x7f"]),
    "PROTO": st.sampled_from([b"\2", b"\4", b"\x63"]),
    "FRAME": st.sampled_from([bytes(8), b"\x10" + bytes(7), b"\xff" * 8]),
    **{name: st.sampled_from([b"\0", b"\1a", b"\3", b"\xff"]) for name in (
        "SHORT_BINBYTES", "SHORT_BINSTRING", "SHORT_BINUNICODE", "LONG1")},
    **{name: st.sampled_from([bytes(4), b"\1\0\0\0w", b"\xff\xff\xff\x7f"])
       for name in ("BINBYTES", "BINSTRING", "BINUNICODE")},
    **{name: st.sampled_from([bytes(8), b"\2" + bytes(7) + b"f4",
                              b"\0" * 7 + b"\x40", b"\xff" * 8])
       for name in ("BINBYTES8", "BINUNICODE8", "BYTEARRAY8")},
}
FURTHER = ("DUP", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EMPTY_SET",
           "ADDITEMS", "FROZENSET", "EXT1", "PERSID", "GET", "PUT", "LONG4",
           "NEXT_BUFFER", "DICT", "LIST", "INT", "STRING")
OPERATIONS = st.sampled_from(sorted((*_OPCODES.split(), *FURTHER))).flatmap(
    lambda name: ARGUMENTS.get(name, st.just(b"")).map(
        lambda argument: getattr(pickle, name) + argument))


@properties(300, operations=st.lists(OPERATIONS, max_size=30))
def check_programs(operations):
    data = b"\x80\x04}" + b"".join(operations) + b"."
    read(".pdparams", data)
    read(".pth", data)


test_programs, test_programs_long = check_programs


def _checkpoint():
    method = Line()
    path = checkpoint.save(FOLDER.name, step=1, method=method,
                           optimizer=SGD(momentum=0.9)(method, 0.1))
    return (path / checkpoint.TRAINING).read_bytes()


CHECKPOINT = _checkpoint()


def resume(data):
    folder = Path(FOLDER.name, "iter_2")
    folder.mkdir(exist_ok=True)
    (folder / checkpoint.TRAINING).write_bytes(data)
    method = Line()
    return outcome(lambda: checkpoint.load(
        folder, method=method, optimizer=SGD(momentum=0.9)(method, 0.1)),
        folder, "the optimizer's state")


def test_the_checkpoint_is_read_before_it_is_damaged():
    assert resume(CHECKPOINT)["step"] == 1


@properties(200, data=damaged([CHECKPOINT]))
def check_checkpoints(data):
    resume(data)


test_checkpoints, test_checkpoints_long = check_checkpoints

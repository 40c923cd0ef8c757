# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read Paddle's files of weights: pickles of numpy arrays, and no code."""

import math
import os

import numpy as np

from contrib_semiseg.cvlibs.errors import CheckpointError, one_line
from contrib_semiseg.cvlibs.plain_pickle import (
    Built,
    OrderedDict,
    Refused,
    Unpickler,
    check_shape,
)

# What weights are made of, as numpy spells it.
DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8",
          "b1")
_NAME_TABLE = "StructuredToParameterName@@"


class _Dtype(Built):
    """Stands for numpy.dtype, of one of the kinds that weights have."""

    def __init__(self, code, *_):
        if code not in DTYPES:
            raise Refused("it holds an array of no plain numbers")
        self.code, self.order = code, "="

    def build(self, state):
        # (version, byte order, then what only structures have)
        self.order = state[1] if state[1] in "<>" else "="

    @property
    def stored(self):
        return np.dtype(self.code).newbyteorder(self.order)


class _Array(Built):
    """Stands for numpy.ndarray; made real when all is read."""

    def __init__(self):
        self.data = None

    def build(self, state):
        _, shape, dtype, fortran, data = state
        self.fill(data, dtype, shape, "F" if fortran else "C")

    def fill(self, data, dtype, shape, order):
        check_shape(shape)
        if not isinstance(data, bytes) or \
                math.prod(shape) * dtype.stored.itemsize != len(data):
            raise Refused("an array of another size than its shape")
        self.data, self.dtype = data, dtype.stored
        self.shape, self.order = shape, order

    def array(self):
        value = np.empty(self.shape, self.dtype.newbyteorder("="))
        if self.data:
            value[...] = np.frombuffer(self.data, self.dtype).reshape(
                self.shape, order=self.order)
        return value


class _ArrayType:
    """numpy.ndarray, as an argument; it is never called."""


_ARRAY_TYPE = _ArrayType()


def _reconstruct(kind, *_):
    if kind is not _ARRAY_TYPE:
        raise Refused("an array of an odd type")
    return _Array()


def _from_buffer(data, dtype, shape, order):
    array = _Array()
    array.fill(data, dtype, shape, order)
    return array


def _encode(text, encoding):
    """How old protocols spell bytes; other encodings could swell them."""
    if encoding not in ("latin1", "latin-1"):
        raise Refused("bytes of an odd encoding")
    return text.encode("latin-1")


_NAMES = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "ndarray"): _ARRAY_TYPE,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    # NumPy 2 renamed numpy.core; each version reads the other's files.
    **{(f"numpy.{core}.{module}", name): call for core in ("core", "_core")
       for module, name, call in (
           ("multiarray", "_reconstruct", _reconstruct),
           ("numeric", "_frombuffer", _from_buffer))},
}


def load_paddle(path):
    """Read a .pdparams, a pickled dict of arrays; nothing in it can run.

    Args:
        path (str): the file.

    Returns: dict of str to np.ndarray, C-contiguous, own memory.
    Raises: CheckpointError, naming the file.
    """
    try:
        with open(path, "rb") as file:
            state = Unpickler(file, _NAMES).load()
            return _arrays(state, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except Refused as error:
        raise CheckpointError(f"{path}: not a file of plain arrays "
                              f"({error})") from error
    # A damaged pickle may end in nearly any exception.
    except Exception as error:
        raise CheckpointError(f"{path}: damaged or truncated "
                              f"({type(error).__name__})") from error


def _arrays(state, size):
    """The arrays of what was unpickled from a file of `size` bytes."""
    if not isinstance(state, dict):
        raise Refused(f"holds a {type(state).__name__}, not a dict of arrays")
    found = {}
    for key, value in state.items():
        if key == _NAME_TABLE:
            continue
        if not isinstance(key, str) or not isinstance(value, _Array) or \
                value.data is None:
            raise Refused(f"'{one_line(key, 80)}' is not an array")
        found[key] = value
    if sum(len(value.data) for value in found.values()) > size:
        raise Refused("its arrays share their bytes")
    return {key: value.array() for key, value in found.items()}

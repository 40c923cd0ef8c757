# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Weight files of three families, and a strict way to load them."""

import math
import os
import re
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs.errors import CheckpointError, one_line
from contrib_semiseg.cvlibs.plain_pickle import (
    Built,
    OrderedDict,
    Refused,
    Unpickler,
    check_shape,
)
from contrib_semiseg.cvlibs.pretrained import locate
from contrib_semiseg.cvlibs.torch_file import load_torch

TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8",
           "b1")
_NAME_TABLE = "StructuredToParameterName@@"
_WRAPPERS = re.compile(r"^(module\.|backbone\.|Scale\.)+")


class _Dtype(Built):
    """Stands for numpy.dtype, of one of the kinds that weights have."""

    def __init__(self, code, *_):
        if code not in _DTYPES:
            raise Refused("it holds an array of no plain numbers")
        self.code, self.order = code, "="

    def build(self, state):
        # (version, byte order, then what only structures have)
        self.order = state[1] if state[1] in "<>" else "="

    @property
    def stored(self):
        return np.dtype(self.code).newbyteorder(self.order)


class _Array(Built):
    """Stands for numpy.ndarray."""

    def __init__(self):
        self.value = None

    def build(self, state):
        _, shape, dtype, fortran, data = state
        self.fill(data, dtype, shape, "F" if fortran else "C")

    def fill(self, data, dtype, shape, order):
        stored = dtype.stored
        check_shape(shape)
        if not isinstance(data, bytes) or \
                math.prod(shape) * stored.itemsize != len(data):
            raise Refused("an array of another size than its shape")
        self.value = np.empty(shape, stored.newbyteorder("="))
        if data:
            self.value[...] = np.frombuffer(data, stored).reshape(
                shape, order=order)


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


def _load_pickle(path):
    """Arrays of a pickled dict: {name: array}; nothing in it can run.

    Raises: CheckpointError, naming the file.
    """
    try:
        with open(path, "rb") as file:
            return _arrays(Unpickler(file, _NAMES).load())
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except Refused as error:
        raise CheckpointError(f"{path}: not a file of plain arrays "
                              f"({error})") from error
    # A damaged pickle may end in nearly any exception.
    except Exception as error:
        raise CheckpointError(f"{path}: damaged or truncated "
                              f"({type(error).__name__})") from error


def _arrays(state):
    if not isinstance(state, dict):
        raise Refused(f"holds a {type(state).__name__}, not a dict of arrays")
    found = {}
    for key, value in state.items():
        if key == _NAME_TABLE:
            continue
        array = value.value if isinstance(value, _Array) else None
        if not isinstance(key, str) or array is None:
            raise Refused(f"'{one_line(key, 80)}' is not an array")
        found[key] = array
    return found


def _load_safetensors(path):
    from safetensors.numpy import load_file
    try:
        state = load_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors "
                              f"({error})") from error
    odd = [k for k, v in state.items() if v.dtype.str[1:] not in _DTYPES]
    if odd:
        raise CheckpointError(f"{path}: '{one_line(odd[0], 80)}' is of "
                              f"{state[odd[0]].dtype}; allowed: plain numbers")
    return state


def load_state(path):
    """Read a file of weights.

    Args:
        path (str): .pdparams (Paddle), .safetensors, or .pth / .pt / .bin
            (torch; names and layouts stay torch's). Any other suffix is
            taken for Paddle's format.

    Returns:
        dict of str to np.ndarray.

    Raises:
        CheckpointError: missing, damaged, or no dict of arrays.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise CheckpointError(f"{path}: no such file")
    suffix = Path(path).suffix.lower()
    if suffix == ".safetensors":
        return _load_safetensors(path)
    if suffix in TORCH_SUFFIXES:
        return load_torch(path)
    return _load_pickle(path)


def _clause(names, what):
    if not names:
        return []
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [f"{what}: {len(names)} ({shown})"]


def fit(layer, state, source):
    """Load `state` into `layer`; every name and every shape must match.

    Args:
        layer (paddle.nn.Layer): changed in place, or not at all.
        state (dict of str to np.ndarray).
        source (str): where `state` comes from, for the message.

    Raises:
        CheckpointError: keys are missing, unexpected or of another shape;
            one line with the counts and the first of them.
    """
    own = layer.state_dict()
    missing = [k for k in own if k not in state]
    unexpected = [k for k in state if k not in own]
    shapes = [f"{k}: {list(np.shape(state[k]))} instead of {list(v.shape)}"
              for k, v in own.items()
              if k in state and list(np.shape(state[k])) != list(v.shape)]
    problems = (_clause(missing, "missing keys") +
                _clause(unexpected, "unknown keys") +
                _clause(shapes, "of another shape"))
    if problems:
        raise CheckpointError(f"{source} does not fit "
                              f"{type(layer).__name__}: "
                              + "; ".join(problems))
    # Paddle converts floats itself, but only warns where it cannot.
    layer.set_state_dict({
        k: paddle.to_tensor(np.asarray(state[k]), dtype=v.dtype)
        for k, v in own.items()})


def is_torch(path, state):
    """Whether a file of weights has torch's names and layouts."""
    return Path(path).suffix.lower() in TORCH_SUFFIXES or any(
        key.endswith(".running_mean") for key in state)


def plain_names(state):
    """Names without the wrappers that training scripts leave before them.

    Names that would then clash are left alone.
    """
    result = {_WRAPPERS.sub("", key): value for key, value in state.items()}
    return result if len(result) == len(state) else state


def from_torch_layout(state, layer):
    """Rename and transpose a torch state dict to Paddle's conventions.

    BatchNorm statistics are renamed, counters dropped, and the weights of
    the fully connected layers of `layer` transposed ([out, in] in torch).
    """
    linear = {f"{name}.weight" for name, part in layer.named_sublayers()
              if isinstance(part, paddle.nn.Linear)}
    endings = {"running_mean": "_mean", "running_var": "_variance"}
    result = {}
    for key, value in state.items():
        head, _, last = key.rpartition(".")
        if last == "num_batches_tracked":
            continue
        name = f"{head}.{endings[last]}" if last in endings else key
        result[name] = value.T if name in linear else value
    return result


def load_pretrained(layer, pretrained, rename=None):
    """Load the weights that `pretrained` names; None loads nothing.

    Args:
        layer (paddle.nn.Layer): changed in place.
        pretrained (str, optional): a file, a URL or a known name, see
            `pretrained.locate`.
        rename (callable, optional): {name: array} of a torch file to the
            same under the layer's own names (statistics still torch's);
            may drop entries. The names are those of `plain_names`.

    Raises:
        ConfigError: none of the three; package missing.
        DownloadError: it cannot be fetched.
        CheckpointError: the file is damaged or does not fit.
    """
    if pretrained is None:
        return
    path = locate(pretrained)
    state = load_state(path)
    if is_torch(path, state):
        state = rename(plain_names(state)) if rename else state
        state = from_torch_layout(state, layer)
    fit(layer, state, path)

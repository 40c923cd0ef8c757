# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Weight files of three families, and a strict way to load them."""

import collections
import os
import pickle
import re
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs import digests
from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.pretrained import locate
from contrib_semiseg.cvlibs.torch_file import load_torch

TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_NAME_TABLE = "StructuredToParameterName@@"
_WRAPPERS = re.compile(r"^(module\.|backbone\.|Scale\.)+")


class _Unpickler(pickle.Unpickler):
    """Admits what a pickled dict of numpy arrays consists of."""

    _NAMES = {
        ("numpy", "ndarray"), ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
        ("collections", "OrderedDict"), ("_codecs", "encode"),
    }

    def find_class(self, module, name):
        # NumPy 2 renamed numpy.core; each version reads the other's files.
        plain = module.replace("numpy._core", "numpy.core")
        if (plain, name) not in self._NAMES:
            raise pickle.UnpicklingError(f"it holds {module}.{name}")
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if plain.startswith("numpy.core"):
            core = "numpy._core" if int(np.__version__[0]) >= 2 else \
                "numpy.core"
            module = plain.replace("numpy.core", core)
        return super().find_class(module, name)


def load_pickle(path):
    """Unpickle plain data and numpy arrays; nothing in the file can run.

    Args:
        path (str): a .pdparams, .pdopt or other pickle.

    Returns: the object.

    Raises: CheckpointError, naming the file.
    """
    try:
        with open(path, "rb") as file:
            return _Unpickler(file).load()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: not a file of plain arrays "
                              f"({error})") from error
    # A damaged pickle may end in nearly any exception.
    except Exception as error:
        raise CheckpointError(f"{path}: damaged or truncated "
                              f"({type(error).__name__})") from error


def _load_safetensors(path):
    from safetensors.numpy import load_file
    try:
        return load_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors "
                              f"({error})") from error


def load_state(path):
    """Read a file of weights.

    Args:
        path (str): .pdparams (Paddle), .safetensors, or .pth / .pt / .bin
            (torch; names and layouts stay torch's). Any other suffix is
            taken for Paddle's format.

    Returns:
        dict of str to np.ndarray.

    Raises:
        CheckpointError: missing, damaged (also where a SHA256SUMS beside
            it has another digest), or no dict of arrays.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise CheckpointError(f"{path}: no such file")
    text = digests.damage(path)
    if text:
        raise CheckpointError(f"{os.path.dirname(path)}: {text}; if you "
                              f"changed it, remove {digests.SUMS}")
    suffix = Path(path).suffix.lower()
    if suffix == ".safetensors":
        return _load_safetensors(path)
    if suffix in TORCH_SUFFIXES:
        return load_torch(path)
    state = load_pickle(path)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: holds a {type(state).__name__}, not "
                              "a dict of arrays")
    state = {k: v for k, v in state.items() if k != _NAME_TABLE}
    odd = [k for k, v in state.items() if not isinstance(v, np.ndarray)]
    if odd:
        raise CheckpointError(f"{path}: '{odd[0]}' is not an array")
    return state


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

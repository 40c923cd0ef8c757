# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Weight files of three families, and a strict way to load them."""

import os
import re
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs import digests
from contrib_semiseg.cvlibs.errors import CheckpointError, one_line
from contrib_semiseg.cvlibs.paddle_file import DTYPES, load_paddle
from contrib_semiseg.cvlibs.pretrained import locate
from contrib_semiseg.cvlibs.torch_file import load_torch

TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_WRAPPERS = re.compile(r"^(module\.|backbone\.|Scale\.)+")


def _load_safetensors(path):
    from safetensors.numpy import load_file
    try:
        state = load_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        raise CheckpointError(f"{path}: cannot be read as safetensors "
                              f"({error})") from error
    odd = [k for k, v in state.items() if v.dtype.str[1:] not in DTYPES]
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
    return load_paddle(path)


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

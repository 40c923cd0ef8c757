# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Save a network as a static graph, for Paddle Inference or an exporter.

Paddle 3 writes NAME.json; before it, programs were NAME.pdmodel. On a CPU
Paddle Inference runs the older form with oneDNN, several times as fast, and
the settings of PaddleSeg's deploy script work with that form alone.
"""

import contextlib
import functools
import warnings

import paddle
from paddle import nn
from paddle.base import core
from paddle.base.layer_helper import LayerHelper
from paddle.pir_utils import DygraphOldIrGuard

from contrib_semiseg.cvlibs.errors import one_line

OUTPUT_OPS = ("argmax", "softmax", "none")
# Some of Paddle 3.3's functions cannot write the older form any more. Their
# operators in it, by the name of the function.
_BINARY = {"maximum": ("elementwise_max", {"axis": -1}),
           "minimum": ("elementwise_min", {"axis": -1}),
           "multiply": ("elementwise_mul", {"axis": -1}),
           "matmul": ("matmul_v2", {"trans_x": False, "trans_y": False})}
_UNARY = ("sigmoid", "gelu", "log", "floor", "ceil", "rsqrt")


class NotSaved(Exception):
    """Why a network cannot be saved in a form, in one line."""


class Deployed(nn.Layer):
    """Picture to result: the network's first output, and an operation.

    Args:
        network (Layer): float32 [N, 3, h, w] to logits, or a list of them of
            which the first counts.
        output_op (str): none: logits float32 [N, C, h, w]; softmax:
            probabilities of this shape; argmax: classes int32 [N, h, w].
        reverse (bool): the network wants the channels the other way round.
    """

    def __init__(self, network, output_op="none", reverse=False):
        super().__init__()
        self.network, self.reverse = network, reverse
        self.output_op = output_op

    # `paddle.jit.save` finds the layer by the name `self`.
    def forward(self, x):
        if self.reverse:
            x = paddle.flip(x, axis=[1])
        outputs = self.network(x)
        logits = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
        return _finish(logits, self.output_op)


# A function of its own, as tracing would turn both ways into one graph.
def _finish(logits, output_op):
    if output_op == "softmax":
        return nn.functional.softmax(logits, axis=1)
    if output_op == "argmax":
        return paddle.argmax(logits, axis=1, dtype="int32")
    return logits


def _append(kind, inputs, attributes, dtype):
    helper = LayerHelper(kind)
    out = helper.create_variable_for_type_inference(dtype)
    helper.append_op(type=kind, inputs=inputs, outputs={"Out": out},
                     attrs=attributes)
    return out


def _older_binary(kind, attributes, function, x, y, *flags, name=None):
    if not isinstance(x, paddle.static.Variable):
        return function(x, y, *flags)
    given = dict(attributes)
    given.update(zip(("trans_x", "trans_y"), flags))
    return _append(kind, {"X": x, "Y": y}, given, x.dtype)


def _older_unary(kind, function, x, *rest, **named):
    if not isinstance(x, paddle.static.Variable):
        return function(x, *rest, **named)
    return _append(kind, {"X": x}, {}, x.dtype)


def _older_expand_as(function, x, y, name=None):
    if not isinstance(x, paddle.static.Variable):
        return function(x, y)
    return _append("expand_as_v2", {"X": x, "Y": y},
                   {"target_shape": list(y.desc.shape())}, x.dtype)


def _older_argmax(function, x, axis=None, keepdim=False, dtype="int64",
                  name=None):
    if not isinstance(x, paddle.static.Variable):
        return function(x, axis, keepdim, dtype)
    kind = getattr(core.VarDesc.VarType, dtype.upper())
    out = _append("arg_max", {"X": x}, {
        "axis": 0 if axis is None else axis, "keepdims": keepdim,
        "flatten": axis is None, "dtype": int(kind)}, dtype)
    out.stop_gradient = True
    return out


@contextlib.contextmanager
def _older_form():
    """Inside, programs are written in the older form."""
    ops = paddle._C_ops
    older = {name: functools.partial(_older_binary, *rest)
             for name, rest in _BINARY.items()}
    older.update({name: functools.partial(_older_unary, name)
                  for name in _UNARY})
    older.update(argmax=_older_argmax, expand_as=_older_expand_as)
    # As functions, and as methods, which are found elsewhere.
    places = [(place, name) for place in (ops, paddle.static.Variable)
              for name in older if hasattr(place, name)]
    known = [getattr(*place) for place in places]
    with DygraphOldIrGuard():
        try:
            for place, name in places:
                setattr(place, name, _bound(older[name], getattr(ops, name)))
            yield
        finally:
            for (place, name), function in zip(places, known):
                setattr(place, name, function)


def _bound(older, newer):
    """One that is a method as well where it is put into a class."""
    def function(*args, **named):
        return older(newer, *args, **named)

    return function


def save(layer, prefix, shape=(None, 3, None, None), *, older=False):
    """Save a layer of one input "x" as a static graph.

    Args:
        layer (Layer): in eval mode.
        prefix (str): of the files PREFIX.json and PREFIX.pdiparams.
        shape (sequence): of x; None where it is free.
        older (bool): PREFIX.pdmodel instead of PREFIX.json.

    Returns: (str, str): paths of the program and the parameters.
    Raises: NotSaved.
    """
    spec = paddle.static.InputSpec(list(shape), "float32", "x")
    form = _older_form() if older else contextlib.nullcontext()
    try:
        with warnings.catch_warnings(), form:
            warnings.simplefilter("ignore")
            paddle.jit.save(layer, prefix, [spec])
    # Tracing runs the network's own code: anything can be raised.
    except Exception as error:
        raise NotSaved("the network cannot be traced: "
                       f"{last_line(str(error))}") from error
    suffix = ".pdmodel" if older else ".json"
    return prefix + suffix, prefix + ".pdiparams"


def last_line(text):
    """The last line that is not blank, shortened."""
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1], 200) if lines else "no message"

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Write the two layouts of a torch file without torch, for tests."""

import contextlib
import io
import pickle
import sys
import types
import zipfile

import numpy as np

_STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage",
             "u1": "ByteStorage", "b1": "BoolStorage"}


class Tensor:
    """An array, or a strided view (offset, size, stride) of a flat one."""

    def __init__(self, data, view=None, kind=None, parameter=False):
        self.flat = np.ascontiguousarray(data).reshape(-1)
        strides = [s // data.itemsize for s in data.strides]
        self.view = view or (0, data.shape, tuple(strides))
        self.kind = kind or _STORAGES[self.flat.dtype.str[1:]]
        self.parameter = parameter


@contextlib.contextmanager
def _fake_torch():
    """Names to pickle by reference; nothing of them is ever called."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in (*_STORAGES.values(), "BFloat16Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch",
                                             "__qualname__": name}))
    for name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
        function = types.FunctionType((lambda: None).__code__, {}, name)
        function.__module__, function.__qualname__ = "torch._utils", name
        setattr(utils, name, function)
    torch._utils = utils
    kept = {k: sys.modules.get(k) for k in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield torch
    finally:
        for key, module in kept.items():
            if module is None:
                del sys.modules[key]
            else:
                sys.modules[key] = module


class _Storage:
    def __init__(self, tensor):
        self.tensor = tensor


def _dumps(tree, torch, storages, legacy):

    class Pickler(pickle.Pickler):

        def persistent_id(self, obj):
            if not isinstance(obj, _Storage):
                return None
            key = str(list(storages).index(id(obj.tensor.flat)))
            tail = (None,) if legacy else ()
            return ("storage", getattr(torch, obj.tensor.kind), key, "cpu",
                    obj.tensor.flat.size, *tail)

        def reducer_override(self, obj):
            if not isinstance(obj, Tensor):
                return NotImplemented
            storages[id(obj.flat)] = obj.flat
            made = (torch._utils._rebuild_tensor_v2,
                    (_Storage(obj), *obj.view, False, None))
            if obj.parameter:
                inner = Tensor(obj.flat, obj.view, obj.kind)
                inner.flat = obj.flat
                return (torch._utils._rebuild_parameter, (inner, True, None))
            return made

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(tree)
    return buffer.getvalue()


def legacy_bytes(tree):
    """The older layout: pickles one after the other, then raw storages."""
    storages = {}
    with _fake_torch() as torch:
        body = _dumps(tree, torch, storages, True)
    system = {"protocol_version": 1001, "little_endian": True,
              "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(v, 2)
            for v in (0x1950a86a20f9469cfc6c, 1001, system)]
    keys = pickle.dumps([str(i) for i in range(len(storages))], 2)
    raw = [a.size.to_bytes(8, "little") + a.tobytes()
           for a in storages.values()]
    return b"".join([*head, body, keys, *raw])


def zip_bytes(tree):
    """The layout of today: an archive with data.pkl and data/<key>."""
    storages, buffer = {}, io.BytesIO()
    with _fake_torch() as torch:
        body = _dumps(tree, torch, storages, False)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", body)
        archive.writestr("archive/byteorder", "little")
        for i, array in enumerate(storages.values()):
            archive.writestr(f"archive/data/{i}", array.tobytes())
    return buffer.getvalue()

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read the tensors of a torch file without torch and without its code.

A torch file is a pickle whose tensors point into raw storages. Two layouts
exist: the zip archive of today and the older sequence of pickles. Of names
only the handful that tensors need is admitted, so that a file cannot run
code; and what is read is never much more than the file has.
"""

import io
import math
import os
import zipfile

import numpy as np

from contrib_semiseg.cvlibs.errors import CheckpointError, one_line
from contrib_semiseg.cvlibs.plain_pickle import (
    OrderedDict,
    Refused,
    Unpickler,
    check_shape,
)

_LEGACY_MAGIC = 0x1950a86a20f9469cfc6c
_LEGACY_PROTOCOL = 1001
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "|i1", "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
# Where a training script puts the weights among its other data.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
# Tensors may share a storage, but not so as to fill the memory.
_MOST_SHARED = 8


class _Storage:
    """One flat array of the file; `data` is set when its bytes are read."""

    def __init__(self, kind, count):
        if not isinstance(count, int) or count < 0:
            raise Refused("a storage with an odd description")
        self.kind, self.count, self.data = kind, count, None

    @property
    def itemsize(self):
        dtype = _DTYPES[self.kind]
        return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize

    def fill(self, raw):
        if len(raw) != self.count * self.itemsize:
            raise Refused(f"truncated: {len(raw)} bytes where a storage of "
                          f"{self.count * self.itemsize} should be")
        if _DTYPES[self.kind] == "bfloat16":
            # The upper half of a float32.
            wide = np.frombuffer(raw, "<u2").astype("<u4") << 16
            self.data = wide.view("<f4")
        else:
            self.data = np.frombuffer(raw, _DTYPES[self.kind])


class _Tensor:
    """A view into a storage, made real once the storages are read."""

    def __init__(self, storage, offset, size, stride, *_):
        check_shape(size)
        check_shape((offset,))
        check_shape(stride)
        if not isinstance(storage, _Storage) or len(size) != len(stride):
            raise Refused("a tensor with an odd description")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride))
        # The second bound keeps a stride of 0 from filling the memory.
        if 0 not in size and (last >= storage.count or
                              math.prod(size) > storage.count):
            raise Refused("a tensor reaches beyond its storage")
        self.storage, self.offset = storage, offset
        self.size, self.stride = size, stride

    @property
    def bytes(self):
        return math.prod(self.size) * self.storage.itemsize

    def array(self):
        if 0 in self.size:
            return np.zeros(self.size, self.storage.data.dtype)
        base = self.storage.data[self.offset:]
        view = np.lib.stride_tricks.as_strided(
            base, self.size, [s * base.itemsize for s in self.stride],
            writeable=False)
        return np.array(view, order="C")


def _parameter(tensor, *_):
    return tensor


class _StorageType:
    def __init__(self, name):
        self.name = name


_NAMES = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): _StorageType(name) for name in _DTYPES},
}


class _Unpickler(Unpickler):
    """Admits ordered dicts, tensors, parameters and storages."""

    def __init__(self, file, storages):
        super().__init__(file, _NAMES)
        self.storages = storages

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or len(pid) < 5 or \
                pid[0] != "storage" or not isinstance(pid[2], str) or \
                not isinstance(pid[1], _StorageType):
            raise Refused("a storage with an odd description")
        if len(pid) > 5 and pid[5] is not None:
            raise Refused("a storage that is a view of another one")
        key = pid[2]
        if key not in self.storages:
            self.storages[key] = _Storage(pid[1].name, pid[4])
        if self.storages[key].kind != pid[1].name:
            raise Refused("a storage of two types")
        return self.storages[key]


class _Members:
    """The files of an archive, read up to the archive's own size in all.

    So neither compressed members nor ones that lie over each other can
    fill the memory; torch writes neither.
    """

    def __init__(self, archive, path):
        self.archive, self.left = archive, os.path.getsize(path)

    def read(self, name):
        self.left -= self.archive.getinfo(name).file_size
        if self.left < 0:
            raise Refused("its files are larger than the archive, which "
                          "torch does not write")
        return self.archive.read(name)


def _read_zip(path):
    storages = {}
    with zipfile.ZipFile(path) as archive:
        members = _Members(archive, path)
        names = set(archive.namelist())
        index = [n for n in names if n.rsplit("/", 1)[-1] == "data.pkl"]
        if len(index) != 1:
            raise Refused("a zip archive without one data.pkl")
        root = index[0][:-len("data.pkl")]
        if root + "byteorder" in names and \
                members.read(root + "byteorder").strip() != b"little":
            raise Refused("its numbers are big-endian")
        tree = _Unpickler(io.BytesIO(members.read(index[0])), storages).load()
        for key, storage in storages.items():
            member = f"{root}data/{key}"
            if member not in names:
                raise Refused(f"truncated: {member} is missing")
            if archive.getinfo(member).file_size != \
                    storage.count * storage.itemsize:
                raise Refused(f"{member} has another size than its tensors")
            storage.fill(members.read(member))
    return tree


def _read_legacy(path):
    storages = {}
    with open(path, "rb") as file:
        if _Unpickler(file, storages).load() != _LEGACY_MAGIC:
            raise Refused("not a torch file")
        if _Unpickler(file, storages).load() != _LEGACY_PROTOCOL:
            raise Refused("a torch file of an unknown version")
        system = _Unpickler(file, storages).load()
        if isinstance(system, dict) and not system.get("little_endian", True):
            raise Refused("its numbers are big-endian")
        tree = _Unpickler(file, storages).load()
        for key in _Unpickler(file, {}).load():
            storage = storages.get(key) if isinstance(key, str) else None
            count = int.from_bytes(file.read(8), "little")
            if storage is None or count != storage.count:
                raise Refused("truncated, or its storages do not match")
            size = count * storage.itemsize
            if size > os.path.getsize(path) - file.tell():
                raise Refused("truncated: a storage is incomplete")
            storage.fill(file.read(size))
    if any(s.data is None for s in storages.values()):
        raise Refused("truncated: a storage is missing")
    return tree


def _tensors(tree):
    """The weights of what was unpickled: {name: array}."""
    for key in _WRAPPERS:
        if isinstance(tree, dict) and isinstance(tree.get(key), dict):
            tree = tree[key]
            break
    if not isinstance(tree, dict) or not tree:
        raise Refused("it holds no dict of tensors")
    odd = [k for k, v in tree.items() if not isinstance(v, _Tensor)]
    if odd:
        raise Refused(f"'{one_line(odd[0], 80)}' is not a tensor")
    storages = {id(v.storage): v.storage for v in tree.values()}
    held = sum(s.count * s.itemsize for s in storages.values())
    if sum(v.bytes for v in tree.values()) > _MOST_SHARED * held:
        raise Refused("its tensors share their storages too often")
    return {str(k): v.array() for k, v in tree.items()}


def load_torch(path):
    """Read a torch file (.pth, .pt, .bin) of one state dict.

    Args:
        path (str): the file; legacy or zip layout; the state dict stands
            alone or under "state_dict", "model_state_dict", "model" or "net".

    Returns:
        dict of str to np.ndarray, C-contiguous, own memory; dtypes as in the
        file, but bfloat16 becomes float32.

    Raises:
        CheckpointError: missing, truncated, no torch file, or it holds
            anything but tensors; one line with the path.
    """
    try:
        reader = _read_zip if zipfile.is_zipfile(path) else _read_legacy
        return _tensors(reader(path))
    except Refused as error:
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    # A damaged pickle may end in nearly any exception.
    except Exception as error:
        raise CheckpointError(f"{path}: not a torch file, or truncated "
                              f"({type(error).__name__})") from error

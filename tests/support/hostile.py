# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Small files that mean harm: made here, so that none lies about."""

import contextlib
import io
import json
import pickle
import struct
import tracemalloc
import zipfile
import zlib

MEMORY = 16 << 20  # bytes; each file of these asks for far more


@contextlib.contextmanager
def little_memory(most=MEMORY):
    """Fail, if what Python allocates in a with block exceeds `most`."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak} bytes"


def _chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data +
            struct.pack(">I", zlib.crc32(kind + data)))


def png(width, height, *, channels=3, extra=b""):
    """A PNG of a few bytes that claims a size."""
    color = {1: 0, 3: 2}[channels]
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(
        ">IIBBBBB", width, height, 8, color, 0, 0, 0)) + extra +
        _chunk(b"IDAT", zlib.compress(bytes(64))) + _chunk(b"IEND", b""))


def png_text(size):
    """A PNG chunk of text that swells to `size` bytes."""
    return _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size)))


def text(value):
    """The opcode of a text."""
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def name(module, attribute):
    """The opcode of a name to import."""
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


def call(function, *arguments):
    """Opcodes that call what a name stands for."""
    return (function + pickle.MARK + b"".join(arguments) + pickle.TUPLE +
            pickle.REDUCE)


def entry(key, value):
    """A pickle of a dict with one entry, given as opcodes."""
    return pickle.PROTO + b"\2" + pickle.EMPTY_DICT + key + value + \
        pickle.SETITEM + pickle.STOP


def number(value):
    """The opcode of an integer."""
    data = pickle.encode_long(value)
    return pickle.LONG1 + bytes([len(data)]) + data


def tuples(depth=200):
    """Opcodes of a tuple of two equal tuples of two equal tuples, ...

    Its text and its hash would take 2**depth steps.
    """
    return pickle.EMPTY_TUPLE + b"".join(
        pickle.BINPUT + bytes([i]) + pickle.BINGET + bytes([i]) +
        pickle.TUPLE2 for i in range(depth))


def array(data, dtype="f4", shape=None, size=4):
    """Opcodes of a numpy array of raw bytes, given as opcodes."""
    kind = call(name("numpy", "dtype"), text(dtype), number(0), number(1))
    base = call(name("numpy.core.multiarray", "_reconstruct"),
                name("numpy", "ndarray"), number(0), number(0))
    shape = shape or number(size) + pickle.TUPLE1
    return (base + pickle.MARK + number(1) + shape + kind + pickle.NEWFALSE +
            data + pickle.TUPLE + pickle.BUILD)


def data_of(value):
    """The opcode of bytes."""
    return pickle.BINBYTES + struct.pack("<I", len(value)) + value


def storage(count, key=None, kind="ByteStorage"):
    """Opcodes of a torch storage; count and key are opcodes."""
    return (pickle.MARK + text("storage") + name("torch", kind) +
            (key or text("0")) + text("cpu") + count + pickle.TUPLE +
            pickle.BINPERSID)


def tensor(stored, size, stride=None):
    """Opcodes of a torch tensor; all are opcodes."""
    return call(name("torch._utils", "_rebuild_tensor_v2"), stored, number(0),
                size, stride or size)


def archive(body, members=(), compressed=False):
    """A torch file of today around a pickle; members: {key: bytes}."""
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as made:
        made.writestr("archive/data.pkl", body)
        for key, value in dict(members).items():
            made.writestr(f"archive/data/{key}", value)
    return file.getvalue()


def safetensors(header, data=b"", length=None):
    """A safetensors file of any header; `length` (int): what it claims."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", length or len(head)) + head + data

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read pickles of plain data: nothing in them can run or fill the memory.

Python's unpickler imports and calls what a file names, and a file of a few
bytes can make it take gigabytes or compute for ever. This one knows only
the opcodes of plain data, asks a table for the names, keeps what they stand
for to itself, and reads no more bytes than the file has.
"""

import os
import pickle

from contrib_semiseg.cvlibs.errors import one_line

# What protocols 2 to 5 write of dicts, lists, tuples, texts, bytes, numbers
# and of objects that a table knows.
_OPCODES = """
    APPEND APPENDS BINBYTES BINBYTES8 BINFLOAT BINGET BININT BININT1 BININT2
    BINPERSID BINPUT BINSTRING BINUNICODE BINUNICODE8 BUILD BYTEARRAY8
    EMPTY_DICT EMPTY_LIST EMPTY_TUPLE FRAME GLOBAL LONG1 LONG_BINGET
    LONG_BINPUT MARK MEMOIZE NEWFALSE NEWTRUE NONE POP POP_MARK PROTO REDUCE
    SETITEM SETITEMS SHORT_BINBYTES SHORT_BINSTRING SHORT_BINUNICODE
    STACK_GLOBAL STOP TUPLE TUPLE1 TUPLE2 TUPLE3
"""
_MOST_DIMENSIONS = 32
# A tuple may hold tuples in turn: its hash can take for ever.
_KEYS = (str, bytes, int, float, type(None))


class Refused(Exception):
    """The file is not what its reader takes; the text says why."""


class Built:
    """Base of what stands for an object whose state the file sets later."""

    def build(self, state):
        raise NotImplementedError


class OrderedDict(dict, Built):
    """Stands for collections.OrderedDict; its attributes are left out."""

    def __init__(self, pairs=()):
        super().__init__()
        for key, value in pairs:
            put(self, key, value)

    def build(self, state):
        pass


def check_shape(shape):
    """Refuse what is no shape of a tensor. Raises: Refused.

    Nothing else of a file may reach `str` or arithmetic unchecked: both can
    take for ever on what a few bytes describe.
    """
    if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS or \
            any(type(n) is not int or n < 0 for n in shape):
        raise Refused("a tensor of an odd shape")


def put(mapping, key, value):
    """Set an entry of a dict. Raises: Refused for any other, or odd keys."""
    if not isinstance(mapping, dict) or not isinstance(key, _KEYS):
        raise Refused("a dict with odd keys")
    mapping[key] = value


class _Bounded:
    """A file that is never asked for more bytes than it has left."""

    def __init__(self, file):
        here = file.tell()
        self.file, self.end = file, file.seek(0, os.SEEK_END)
        file.seek(here)
        self.readline = file.readline

    def read(self, count):
        if count > self.end - self.file.tell():
            raise Refused("truncated")
        return self.file.read(count)


class Unpickler(pickle._Unpickler):
    """One pickle after the other of a binary file that can be sought.

    Args:
        file: opened; `load` leaves it behind the pickle.
        names (dict): (module, name) -> the callable that stands for it.

    `load` raises Refused for anything that is not plain data; a damaged
    pickle may end in nearly any other exception.
    """

    # The one of Python's own that can be bounded: the other is a closed box.
    dispatch = {code: pickle._Unpickler.dispatch[code] for code in (
        getattr(pickle, name)[0] for name in _OPCODES.split())}

    def __init__(self, file, names):
        super().__init__(_Bounded(file))
        self._names = names

    def load(self):
        try:
            return super().load()
        except KeyError as error:
            raise Refused(f"not plain data (opcode or place {error})"
                          ) from error

    def find_class(self, module, name):
        found = self._names.get((module, name))
        if found is None:
            raise Refused(f"it holds {one_line(f'{module}.{name}', 80)}, "
                          "which is no tensor; save the state dict alone, or "
                          "as .safetensors")
        return found

    def load_build(self):
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Built):
            raise Refused("an object with a state of its own")
        self.stack[-1].build(state)

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        put(self.stack[-1], key, value)

    def load_setitems(self):
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2]):
            put(self.stack[-1], key, value)

    def load_bytearray8(self):
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    dispatch.update({
        pickle.BUILD[0]: load_build, pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.BYTEARRAY8[0]: load_bytearray8})

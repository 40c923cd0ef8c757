# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Memory that a process shares with those it starts by a fork."""

import mmap
import os
import tempfile

import numpy as np


class Scratch:
    """Room for one array, of any size, seen by both processes.

    Made before the fork. It has no name: nothing is left when the processes
    are gone, however they end.
    """

    def __init__(self):
        if hasattr(os, "memfd_create"):
            self._handle = os.memfd_create("contrib_semiseg")
        else:
            with tempfile.TemporaryFile() as file:
                self._handle = os.dup(file.fileno())
        self._map, self._size = None, 0

    def view(self, shape, dtype):
        """An array in it: what either process put there last.

        Of the next array in it, whatever its size, it is the memory as well.
        """
        dtype = np.dtype(dtype)
        size = max(1, int(np.prod(shape)) * dtype.itemsize)
        if size > self._size:
            if os.fstat(self._handle).st_size < size:
                os.ftruncate(self._handle, size)
            # An older view keeps the older mapping.
            self._map, self._size = mmap.mmap(self._handle, size), size
        return np.frombuffer(self._map, dtype,
                             int(np.prod(shape))).reshape(shape)

    def put(self, array):
        """Copy an array into it."""
        self.view(array.shape, array.dtype)[...] = array

    def close(self):
        """Give the handle back; views stay."""
        os.close(self._handle)
        self._map = None

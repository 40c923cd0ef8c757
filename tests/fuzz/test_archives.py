# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Archives, whatever they hold: their files or one clean error."""

import gzip
import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.support.fuzzing import damaged, in_time, outcome, properties
from tests.support.hostile import little_memory

archives = pytest.importorskip("contrib_semiseg.preparation.archives")
FOLDER = tempfile.TemporaryDirectory()
MEMBERS = {"a/1.png": b"one", "a/b/2.png": b"two" * 99, "c.txt": b""}


def _tar(mode, form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as tar:
        for name, data in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _zip(kind):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as made:
        for name, data in MEMBERS.items():
            made.writestr(name, data)
    return file.getvalue()


WHOLE = {".tar": [_tar("w", form) for form in (
             tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)],
         ".tgz": [_tar("w:gz", tarfile.PAX_FORMAT)],
         ".zip": [_zip(kind) for kind in (zipfile.ZIP_STORED,
                                          zipfile.ZIP_DEFLATED)]}


def read(suffix, data):
    path = Path(FOLDER.name, f"x{suffix}")
    path.write_bytes(data)
    return outcome(lambda: {f.name: f.read() for f in archives.files(
        str(path), lambda name: True)}, path)


def test_the_archives_are_read_before_they_are_damaged():
    for suffix, originals in WHOLE.items():
        for data in originals:
            assert read(suffix, data) == MEMBERS


@properties(200, case=st.sampled_from(sorted(WHOLE)).flatmap(
    lambda suffix: st.tuples(st.just(suffix), damaged(WHOLE[suffix]))))
def check_archives(case):
    read(*case)


test_archives, test_archives_long = check_archives


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE,
                                  tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_swells(kind):
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 256 << 20
    data = gzip.compress(info.tobuf() + bytes(info.size), 1)
    with in_time(20), little_memory(64 << 20):
        assert read(".tgz", data) is None

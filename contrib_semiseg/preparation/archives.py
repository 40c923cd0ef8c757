# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Read what users have downloaded: tar, zip, or the unpacked folder.

Nothing is unpacked under a name that an archive gives: its files are read,
and the tools choose where the results go. Archives that hold what no honest
one does are refused all the same.
"""

import contextlib
import functools
import lzma
import os
import tarfile
import zipfile
import zlib
from typing import Callable, NamedTuple, Optional

from contrib_semiseg.cvlibs.errors import DataError

_LARGEST = 4 << 30  # bytes of one file; COCO's nested archive has 0.9e9
_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONGEST_HEADER = 1 << 16  # bytes; a path has 4096
_MOST = 2_000_000  # files of one archive


class File(NamedTuple):
    """A file of a source: its name there with "/", bytes, how to read it.

    `path` is set where it lies on the disk as it is. `read()` is to be
    called before the next file is asked for.
    """

    name: str
    size: int
    read: Callable
    path: Optional[str] = None


def _check(archive, name, size, plain):
    """Refuse a member that is a trap. Raises: DataError."""
    parts = name.replace("\\", "/").split("/")
    why = None
    if name.startswith(("/", "\\")) or parts[0].endswith(":"):
        why = "has an absolute name"
    elif ".." in parts or "\0" in name:
        why = "leaves the folder that it is unpacked into"
    elif not plain:
        why = "is a link or a device"
    elif size > _LARGEST:
        why = f"has {size} bytes"
    if why:
        raise DataError(f"{archive}: {name!r} {why}; allowed: plain files "
                        "below the archive's own folders; download it again "
                        "from its publisher")


@contextlib.contextmanager
def _reading(path):
    """Say of an archive's own errors that it is broken."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
            EOFError, OSError, NotImplementedError, RuntimeError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise DataError(
            f"{path}: the archive cannot be read ({why}); it may be "
            "incomplete: download it again") from error


class _Member(tarfile.TarInfo):
    """A member whose name and extended header are of an honest length.

    tarfile reads both into memory before it says what they are, and takes
    for ever over some.
    """

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        member = super().frombuf(buf, encoding, errors)
        if member.type in _HEADERS and member.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def _tar_files(path, wanted):
    def read(member):
        with _reading(path):
            return tar.extractfile(member).read()

    with _reading(path), tarfile.open(
            path, tarinfo=_Member) as tar:
        for count, member in enumerate(tar):
            _check(path, member.name, member.size,
                   member.isreg() or member.isdir())
            if count > _MOST:
                raise DataError(f"{path}: more than {_MOST} files; "
                                "allowed: a published archive")
            if member.isreg() and wanted(member.name):
                yield File(member.name, member.size,
                           functools.partial(read, member))


def _zip_files(path, wanted):
    def read(member):
        with _reading(path):
            return archive.read(member)

    with _reading(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MOST:
            raise DataError(f"{path}: {len(members)} files; allowed: a "
                            "published archive")
        for m in members:
            kind = m.external_attr >> 16 & 0o170000
            _check(path, m.filename, m.file_size,
                   kind in (0, 0o100000, 0o040000))
        for m in members:
            if not m.is_dir() and wanted(m.filename):
                yield File(m.filename, m.file_size,
                           functools.partial(read, m))


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _folder_files(root, wanted):
    seen = set()
    for where, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:  # a link back to where we came from
            folders[:] = []
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            inside = os.path.relpath(path, root).replace(os.sep, "/")
            if wanted(inside) and os.path.isfile(path):
                yield File(inside, os.path.getsize(path),
                           functools.partial(_read, path), path)


def files(source, wanted):
    """The files of an archive or folder that `wanted` names.

    Args:
        source (str): .tar, .tar.gz, .tgz or .zip, or a folder.
        wanted (callable): name -> bool. Names have "/" and are relative.

    Yields: File, in the archive's order; sorted in a folder.
    Raises: DataError for a source that is missing or broken, and for an
        archive with an absolute name, one that leaves its folder, a link, a
        device or an absurd size, wherever it stands.
    """
    def keep(name):
        # "._x.png" is what macOS puts beside x.png in a zip.
        return not name.rsplit("/", 1)[-1].startswith("._") and wanted(name)

    source = os.fspath(source)
    if os.path.isdir(source):
        return _folder_files(source, keep)
    if not os.path.isfile(source):
        raise DataError(f"{source}: there is no such file or folder")
    if source.endswith(".zip") or zipfile.is_zipfile(source):
        return _zip_files(source, keep)
    return _tar_files(source, keep)


def find(places, names, holding=()):
    """The first of `names` that the user's `places` mean.

    Args:
        places (list of str): each the source itself, or a folder with it.
        names (list of str): of archives and folders, the likeliest first.
        holding (sequence of str): a folder that holds all of these is one,
            whatever its name.

    Returns: str or None.
    """
    for name in names:
        for place in places:
            place = os.fspath(place)
            if os.path.basename(os.path.abspath(place)) == name and \
                    os.path.exists(place):
                return place
            if os.path.exists(os.path.join(place, name)):
                return os.path.join(place, name)
    for place in places:
        if holding and all(os.path.exists(os.path.join(place, h))
                           for h in holding):
            return os.fspath(place)
    return None


def need(places, names, *, what, url, holding=()):
    """As `find`. Raises: DataError saying what to download from where."""
    found = find(places, names, holding)
    if found is None:
        raise DataError(
            f"{what} is missing: {' or '.join(names)} is not in "
            f"{', '.join(map(os.fspath, places))}; download {names[0]} from "
            f"{url} and name its folder with --from")
    return found

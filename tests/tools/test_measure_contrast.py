# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The contrast needs no more memory than the number of pixels grows."""

import re

import pytest

from contrib_semiseg.losses import directional_contrast
from tests.support import tiny
from tools.measure_contrast import measure


def test_memory_grows_with_the_pixels_and_not_with_their_square(monkeypatch):
    # Tiles so small that they do not hide the rest.
    monkeypatch.setattr(directional_contrast, "BLOCK", 64)
    monkeypatch.setattr(directional_contrast, "_CHUNK", 64)
    small, large = (measure(crop, 1, width=16, repeat=1)
                    for crop in (80, 160))
    assert large["pixels"] == 4 * small["pixels"]
    assert large["memory"] == 4 * small["memory"] == 1600
    # All similarities at once would be 16 times as many.
    assert large["bytes"] < 4.4 * small["bytes"]
    assert 0 < small["anchors"] < large["anchors"]


@pytest.mark.slow
def test_at_full_size():
    rows = [measure(crop, 4, repeat=1) for crop in (160, 240, 320)]
    ratios = [row["bytes"] / row["pixels"] for row in rows]
    assert ratios == sorted(ratios, reverse=True)


def test_the_table():
    status, out, err = tiny.run("tools/measure_contrast.py", "--crop", 64,
                                "--images", 1, "--repeat", 1)
    assert status == 0, err
    assert re.search(r"^\| 64 \| 4096 \| \d+ \| 256 \| \d+ \| \d+\.\d \|",
                     out, re.M), out

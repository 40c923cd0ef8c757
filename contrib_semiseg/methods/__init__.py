# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""One file a method; importing this package registers all of them."""

from contrib_semiseg.methods import (
    cac,
    classmix,
    cps,
    ctt,
    dssn,
    fixmatch,
    mean_teacher,
    supervised,
    u2pl,
    unimatch,
)

__all__ = [
    "cac", "classmix", "cps", "ctt", "dssn", "fixmatch", "mean_teacher",
    "supervised", "u2pl", "unimatch"
]

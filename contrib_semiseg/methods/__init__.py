# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""One file a method; importing this package registers all of them."""

from contrib_semiseg.methods import (
    classmix,
    cps,
    ctt,
    dssn,
    fixmatch,
    mean_teacher,
    supervised,
    unimatch,
)

__all__ = [
    "classmix", "cps", "ctt", "dssn", "fixmatch", "mean_teacher", "supervised",
    "unimatch"
]

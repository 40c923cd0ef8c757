# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""One file a method; importing this package registers all of them."""

from contrib_semiseg.methods import (
    cac,
    cps,
    dssn,
    fixmatch,
    supervised,
    u2pl,
    unimatch,
)

__all__ = [
    "cac", "cps", "dssn", "fixmatch", "supervised", "u2pl", "unimatch"
]

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Clones of the published lists, where they lie beside the project."""

from pathlib import Path

import pytest

CLONES = Path(__file__).resolve().parents[3] / "shared/data/splits"
needs_clones = pytest.mark.skipif(
    not CLONES.is_dir(), reason=f"the published lists are not in {CLONES}")

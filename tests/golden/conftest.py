# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Options and parametrisation of the golden tests."""

from pathlib import Path

import pytest
import yaml

from tests.golden import handlers  # noqa: F401  registers the handlers
from tests.golden.case import cases_of, manifests

HERE = Path(__file__).parent


def pending_reason(method, kind):
    """The reason for which a kind of a method is not handled yet, or None."""
    pending = yaml.safe_load((HERE / "pending.yml").read_text())
    for entry in pending:
        if entry["method"] == method and kind in entry["kinds"]:
            return entry["reason"]
    return None


def pytest_generate_tests(metafunc):
    if "golden_entry" not in metafunc.fixturenames:
        return
    root = metafunc.config.getoption("--golden-root") or HERE / "data"
    only = metafunc.config.getoption("--golden-methods")
    only = set(only.split(",")) if only else None
    rows = []
    for manifest in manifests(root):
        method = manifest.parent.name
        if only and method not in only:
            continue
        for entry in cases_of(manifest):
            rows.append(pytest.param((manifest, entry),
                                     id=f"{method}-{entry['case']}"))
    if not rows:
        raise pytest.UsageError(f"no manifest.json with cases under {root}"
                                + (f" for {sorted(only)}" if only else ""))
    metafunc.parametrize("golden_entry", rows)

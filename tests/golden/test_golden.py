# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every golden case of every manifest, dispatched on method and kind."""

import pytest

from tests.golden.case import HANDLERS, Case, handler_of
from tests.golden.conftest import pending_reason


def test_golden(golden_entry):
    manifest, entry = golden_entry
    method, kind = manifest.parent.name, entry["kind"]
    handler = handler_of(method, kind)
    reason = pending_reason(method, kind)
    if reason and (method, kind) not in HANDLERS:
        pytest.skip(f"pending: {reason}")
    assert handler is not None, (
        f"nothing handles kind '{kind}' of {method} ({manifest}); write a "
        "handler in tests/golden/handlers or list it in pending.yml")
    assert not reason, f"{method}: '{kind}' is handled; take it off pending.yml"
    case = Case(manifest, entry)
    handler(case)
    assert not case.unchecked(), f"{case!r} never compared {case.unchecked()}"

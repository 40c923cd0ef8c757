# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every method's gradient in two processes, and the same scores."""

from contrib_semiseg.cvlibs.manager import METHODS
from tests.support import tiny

SCRIPT = "tests/support/method_ranks.py"


def test_two_processes_learn_and_score_as_one(tmp_path):
    status, out, err = tiny.run(SCRIPT, tmp_path, PYTHONPATH=str(tiny.ROOT))
    assert status == 0, out + err
    logs = tiny.launch(tmp_path, SCRIPT, tmp_path)
    assert len(logs) == 2
    for log in logs:
        for name in METHODS.components_dict:
            for variant in ("halves", "whole"):
                assert f"{name} {variant}: off by" in log
        assert "scores are equal" in log

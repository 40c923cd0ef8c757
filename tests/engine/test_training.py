# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What a resumed run may change without a word."""

from contrib_semiseg.engine.training import compare


def test_a_resumed_run_may_have_another_cache(capsys):
    old = {"cache_dir": "old", "batch_size": 2}
    compare(old, {"batch_size": 2}, "run/iter_2")
    assert capsys.readouterr().out == ""
    compare(old, {"cache_dir": "new", "batch_size": 4}, "run/iter_2")
    line = capsys.readouterr().out
    assert "other values of batch_size:" in line

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every network of the catalogue in paddle.DataParallel, over gloo."""

from tests.support import tiny
from tests.support.networks import distinct


def test_every_network_trains_a_step(tmp_path):
    # One start for all: most of its time is that of importing Paddle.
    logs = tiny.launch(tmp_path, "tests/support/two_networks.py",
                       seconds=300)
    assert len(logs) == 2
    for log in logs:
        for name in distinct():
            assert f"{name} passed" in log

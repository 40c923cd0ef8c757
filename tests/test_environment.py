# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What Paddle's libraries read from the environment."""

import os

import pytest

from contrib_semiseg import environment

NAMES = ("OMP_NUM_THREADS", "OMP_DYNAMIC", "MKL_DYNAMIC",
         "MKL_DEBUG_CPU_TYPE", "GLOG_minloglevel")


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in (*NAMES, "PADDLE_TRAINERS_NUM", "PADDLE_LOCAL_SIZE"):
        # Set first, so that what `prepare` sets is undone after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)),
                        raising=False)


@pytest.mark.parametrize("amd", [True, False])
def test_all_cores_and_the_fast_path_on_amd(monkeypatch, amd):
    monkeypatch.setattr(environment, "_is_amd", lambda: amd)
    environment.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "6"
    assert os.environ.get("MKL_DEBUG_CPU_TYPE") == ("5" if amd else None)


def test_processes_share_the_cores(monkeypatch):
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "2")
    environment.prepare()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_what_the_user_set_stays(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "7")
    environment.prepare()
    assert [os.environ[name] for name in NAMES] == ["7"] * len(NAMES)

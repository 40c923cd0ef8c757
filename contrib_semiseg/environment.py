# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The process environment that Paddle reads once, when it is imported."""

import contextlib
import importlib
import io
import os
import platform
import warnings


def _is_amd():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return "AuthenticAMD" in f.read()
    except OSError:
        return "AMD" in platform.processor()


def prepare():
    """Set what Paddle's CPU libraries need, unless the user set it.

    Call before the first `import paddle`: all cores for OpenMP (Paddle would
    set one), and on AMD the fast code path of the MKL that Paddle bundles.
    Then import Paddle without its notes on ccache and on thread counts.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(
        os, "sched_getaffinity") else os.cpu_count()
    # Several processes on one host share its cores.
    ranks = int(os.environ.get("PADDLE_LOCAL_SIZE",
                               os.environ.get("PADDLE_TRAINERS_NUM", "1")))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // ranks)))
    os.environ.setdefault("OMP_DYNAMIC", "FALSE")
    os.environ.setdefault("MKL_DYNAMIC", "FALSE")
    # Paddle's C++ warnings (1) concern its developers; errors stay.
    os.environ.setdefault("GLOG_minloglevel", "2")
    if _is_amd():
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        importlib.import_module("paddle")
    # BatchNorm says this at each change between training and evaluation.
    warnings.filterwarnings("ignore", message="When training, we now always")

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by a launcher for each of two machines, of which one is lost.

    silent_rank.py SECONDS RANK SIGNAL

SECONDS: without a sign of life, before the other takes it for lost. SIGNAL
is what the process RANK sends to itself.
"""

import os
import signal
import sys
import time

from contrib_semiseg import environment

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.engine import common_store, distributed  # noqa: E402


@distributed.one_for_all()
def wait():
    if distributed.rank() == 1:
        # Longer than the limit, but its thread tells that it lives.
        time.sleep(1.5 * common_store.SILENT_SECONDS)
    distributed.fence()
    print("both are there", flush=True)
    if distributed.rank() == int(sys.argv[2]):
        os.kill(os.getpid(), signal.Signals[sys.argv[3]])
    distributed.fence()


def main():
    common_store.SILENT_SECONDS = float(sys.argv[1])
    common_store.BEAT_SECONDS = common_store.SILENT_SECONDS / 4
    distributed.start()
    wait()


if __name__ == "__main__":
    cli.run(main)

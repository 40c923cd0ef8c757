# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by the launcher in each of two processes, of which one fails.

    failing_ranks.py RANK fence|collective    and what the other one waits in
"""

import sys

from contrib_semiseg import environment

environment.prepare()

import paddle  # noqa: E402
from paddle import distributed as dist  # noqa: E402

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import DataError, UserError  # noqa: E402
from contrib_semiseg.engine import common_store, distributed  # noqa: E402


def refused(function):
    """The message of the UserError of a function."""
    try:
        function()
    except UserError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


@distributed.one_for_all()
def fail(rank, wait):
    if distributed.rank() == rank:
        raise DataError("images/7.png: is damaged")
    wait()


def main():
    # Later than the other process would end by itself.
    common_store._LISTEN_SECONDS = 3.0
    distributed.start()
    rank = distributed.rank()
    print(refused(lambda: distributed.agree(seed=4, images=[9, 10][rank])))
    waits = {"fence": distributed.fence,
             "collective": lambda: dist.all_reduce(paddle.ones([1]))}
    fail(int(sys.argv[1]), waits[sys.argv[2]])


if __name__ == "__main__":
    cli.run(main)

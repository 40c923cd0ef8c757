# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run by the launcher in each of two processes, of which the second fails."""

from contrib_semiseg import environment

environment.prepare()

import paddle  # noqa: E402
from paddle import distributed as dist  # noqa: E402

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import DataError, UserError  # noqa: E402
from contrib_semiseg.engine import distributed  # noqa: E402


def refused(function):
    """The message of the UserError of a function."""
    try:
        function()
    except UserError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


@distributed.one_for_all()
def fail(wait):
    if distributed.rank() == 1:
        raise DataError("images/7.png: is damaged")
    wait()


def main():
    distributed.start()
    rank = distributed.rank()
    print(refused(lambda: distributed.agree(seed=4, images=[9, 10][rank])))
    # The first process meets the end of the second in either kind of wait.
    print(refused(lambda: fail(distributed.fence)), flush=True)
    fail(lambda: dist.all_reduce(paddle.ones([1])))


if __name__ == "__main__":
    cli.run(main)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import os
import signal
import time

import pytest

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.preparation import work


def square(x):
    if x == 13:
        raise DataError("thirteen")
    return x * x, os.getpid()


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def nap(x):
    time.sleep(0.01 * (x % 3))
    return x


@pytest.mark.parametrize("workers", [0, 2])
def test_results_keep_the_order_of_the_jobs(workers):
    found = work.run(nap, ((i, ) for i in range(25)), what="x",
                     workers=workers)
    assert found == list(range(25))


def test_processes_do_the_work():
    pids = {pid for _, pid in work.run(square, ((i, ) for i in range(12)),
                                       what="x", workers=2)}
    assert os.getpid() not in pids
    assert {pid for _, pid in work.run(square, [(1, )], what="x")} == {
        os.getpid()}


@pytest.mark.parametrize("workers", [0, 2])
def test_the_first_mistake_ends_it(workers):
    with pytest.raises(DataError, match="thirteen"):
        work.run(square, ((i, ) for i in range(10000)), what="x",
                 workers=workers)


def test_jobs_are_asked_for_as_they_are_needed():
    asked = []

    def jobs():
        for i in range(1000):
            asked.append(i)
            yield (13 if i == 20 else i, )

    with pytest.raises(DataError):
        work.run(square, jobs(), what="x", workers=2)
    assert len(asked) < 60


def test_a_killed_worker_is_said_in_one_line():
    with pytest.raises(UserError, match="worker process was killed"):
        work.run(die, [(1, ), (2, )], what="x", workers=2)


def test_a_log_gets_plain_lines(capsys):
    with work.Progress("masks", 3, every=0.0) as progress:
        progress.add()
        progress.add()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "masks: 1 of 3 files", "masks: 2 of 3 files", "masks: 2 of 3 files"]

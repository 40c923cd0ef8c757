# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Two processes on one machine, over gloo."""

import json
import os
import random
import signal
import time

import numpy as np
import paddle
import pytest
from paddle import nn
from visualdl import LogReader

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.cvlibs.weights import fit
from contrib_semiseg.engine import checkpoint, distributed
from contrib_semiseg.engine.optimizer import (
    SGD,
    load_optimizer_state,
    optimizer_state,
)
from contrib_semiseg.engine.trainer import seed_step
from tests.support import strong, tiny


def test_one_process_needs_no_group():
    assert (distributed.world(), distributed.rank()) == (1, 0)
    distributed.fence()
    assert distributed.any_flag(3) == 3


def test_gradients_statistics_and_counters(tmp_path):
    logs = tiny.launch(tmp_path, "tests/support/two_processes.py")
    assert len(logs) == 2
    for log in logs:
        assert log.count("passed") == 4, log


@pytest.mark.slow
def test_a_wait_outlives_the_limit_of_gloo(tmp_path):
    # After 30 s a collective would end the process that waits.
    logs = tiny.launch(tmp_path, "tests/support/two_processes.py", 35)
    assert all(log.count("passed") == 4 for log in logs)


@pytest.mark.slow
def test_two_launchers_are_two_machines(tmp_path):
    config = tiny.config(tmp_path, iters=3, save_interval=3)
    status, _, err = tiny.run("train.py", "--config", config, "--iters", 1)
    assert status == 0, err  # writes the scenes
    port = tiny.free_port()
    machines = [tiny.start(
        "-m", "paddle.distributed.launch", "--master", f"127.0.0.1:{port}",
        "--nnodes", 2, "--rank", rank, "--nproc_per_node", 1, "--log_dir",
        tmp_path / f"log{rank}", "train.py", "--config", config, "--do_eval",
        "--save_dir", tmp_path / "two", PYTHONPATH=str(tiny.ROOT))
        for rank in range(2)]
    ends = [machine.communicate(timeout=120) for machine in machines]
    assert [m.returncode for m in machines] == [0, 0], ends
    assert "iter: 3/3" in ends[0][0] and "x 2" in ends[0][0]
    assert [p.name for p in checkpoint.checkpoints(tmp_path / "two")] == [
        "iter_3"]


@pytest.mark.parametrize("rank, number, words", [
    # Its launcher does nothing about it, as none does about other machines.
    (1, "SIGSTOP", "process 1 has given no sign of life for 4 s"),
    # The store goes with it.
    (0, "SIGKILL", "another process ended; its workerlog.N")])
def test_a_process_lost_on_another_machine(tmp_path, rank, number, words):
    port = tiny.free_port()
    machines = [tiny.start(
        "-m", "paddle.distributed.launch", "--master", f"127.0.0.1:{port}",
        "--nnodes", 2, "--rank", i, "--nproc_per_node", 1, "--log_dir",
        tmp_path / f"log{i}", "tests/support/silent_rank.py", 4, rank, number,
        PYTHONPATH=str(tiny.ROOT)) for i in range(2)]
    try:
        out, err = machines[1 - rank].communicate(timeout=60)
    finally:
        for machine in machines:
            if machine.poll() is None:
                for pid in tiny.children(machine.pid):
                    os.kill(pid, signal.SIGKILL)
            machine.wait(timeout=60)
    logs = "".join(p.read_text() for p in
                   (tmp_path / f"log{1 - rank}").glob("workerlog.*"))
    assert machines[1 - rank].returncode == 1, logs
    assert "both are there" in logs and f"error: {words}" in logs, logs
    assert "Traceback" not in logs


@pytest.mark.parametrize("rank, wait", [
    (0, "collective"), (0, "fence"), (1, "collective"), (1, "fence")])
def test_an_error_of_one_process_ends_both_with_its_words(tmp_path, rank,
                                                          wait):
    process = tiny.start_launcher(
        tmp_path / "log", "tests/support/failing_ranks.py", rank, wait)
    started = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and time.monotonic() - started < 40
    logs = [(tmp_path / "log" / f"workerlog.{i}").read_text()
            for i in range(2)]
    for log in logs:
        assert ("UserError: the processes do not agree: process 0 has "
                "images: 9; process 1 has images: 10; allowed") in log
        assert "Traceback" not in log
    words = "images/7.png: is damaged"
    assert f"error: process {rank}: {words}" in logs[1 - rank]
    assert f"error: {words}" in logs[rank]
    assert words in out, "the console shows it"


@pytest.mark.parametrize("error, words", [
    (ValueError("a bug"), "a bug"), (ConfigError("wrong"), "wrong")])
def test_one_process_keeps_its_errors(error, words):
    with pytest.raises(type(error), match=words), distributed.one_for_all():
        raise error


def test_each_process_has_draws_of_its_own(monkeypatch):
    draws = []
    for rank in (0, 1, 0):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        seed_step(3, 5)
        draws.append((float(paddle.rand([1])), np.random.rand(),
                      random.random()))
    first, second, again = draws
    assert first == again and not set(first) & set(second)


def test_synchronized_norms_keep_names_values_and_momenta(monkeypatch):
    monkeypatch.setattr(distributed, "world", lambda: 2)
    net = strong.network()
    assert distributed.synchronize_norms(net) is net
    assert not any(isinstance(layer, nn.SyncBatchNorm)
                   for layer in net.sublayers()), "there is none on a CPU"
    loss = net(paddle.randn([2, 3, 24, 24]))[0].mean()
    optimizer = SGD(momentum=0.9)(net, 0.1)
    loss.backward()
    optimizer.step()
    names = {key: value.numpy() for key, value in net.state_dict().items()}
    momenta = optimizer_state(optimizer, net)
    other = strong.network()
    monkeypatch.setattr(distributed, "has_synchronized_norms", lambda: True)
    other = distributed.synchronize_norms(other)
    assert any(isinstance(layer, nn.SyncBatchNorm)
               for layer in other.sublayers())
    fit(other, names, "the checkpoint")
    again = SGD(momentum=0.9)(other, 0.1)
    load_optimizer_state(again, other, momenta)
    assert list(other.state_dict()) == list(names)
    for key, value in other.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), names[key])
    found = optimizer_state(again, other)
    assert found.keys() == momenta.keys() and any(
        value.any() for value in momenta.values())
    for key, value in found.items():
        np.testing.assert_array_equal(value, momenta[key])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    config = tiny.config(folder, iters=3, save_interval=3, batch_size=2)
    status, _, err = tiny.run("train.py", "--config", config, "--iters", 1)
    assert status == 0, err  # writes the scenes before two processes read them
    logs = tiny.launch(folder, "train.py", "--config", config, "--do_eval",
                       "--use_vdl", "--save_dir", folder / "two")
    return folder, logs


def test_two_processes_train_evaluate_and_save(two):
    folder, logs = two
    assert [p.name for p in checkpoint.checkpoints(folder / "two")] == [
        "iter_3"]
    assert "mIoU" in logs[0] and "[TRAIN]" in logs[0]
    assert "[" not in logs[1].split("=\n")[-1], "only process 0 prints"
    assert logs[0].count("BatchNorm sees the images of its own process") == 1
    files = {p.relative_to(folder / "two").parts[0]
             for p in (folder / "two").rglob("*")}
    assert files == {"best_model", "config.yml", "evaluations.jsonl",
                     "iter_3", "run.json", "scalars.jsonl", "vdl"}
    for name in ("evaluations.jsonl", "scalars.jsonl"):
        rows = (folder / "two" / name).read_text().splitlines()
        assert all(json.loads(row)["iter"] <= 3 for row in rows) and rows
    record, = (folder / "two" / "vdl").iterdir()
    # Two processes could write to one file, too: its name is the second.
    steps = [r.id for r in LogReader(file_path=str(record)).get_data(
        "scalar", "train/loss")]
    assert steps == sorted(set(steps)) and steps[-1] == 3



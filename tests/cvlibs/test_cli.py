# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Exit statuses, one-line errors, devices."""

import errno
import os
import pickle
import subprocess
import sys

import pytest

from contrib_semiseg.cvlibs import cli
from contrib_semiseg.cvlibs.errors import (
    ArgumentError,
    ConfigError,
    UserError,
)
from tests.support.tiny import ROOT


def leave(error=None, status=None):
    """Run a command that raises or returns; give its exit status."""

    def main():
        if error is not None:
            raise error
        return status

    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    return caught.value.code


def test_statuses_of_a_command():
    assert leave() == 0
    assert leave(status=1) == 1


def test_a_user_error_is_one_line(capsys):
    assert leave(ConfigError("c.yml: a = 1\nis bad")) == 2
    assert capsys.readouterr().err == "error: c.yml: a = 1 is bad\n"


def test_what_a_file_says_cannot_steer_the_terminal(capsys):
    assert leave(UserError("a\x1b[2Jb\udcff\u2028" + "c" * 5000)) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: a?[2Jb? ccc") and line.count("\n") == 1
    assert len(line) < 4100


def test_lack_of_memory_is_one_line(capsys):
    assert leave(MemoryError("Unable to allocate 9 TiB")) == 2
    line = capsys.readouterr().err
    assert "not enough memory (Unable to allocate 9 TiB); " in line
    assert line.count("\n") == 1


def test_a_full_disk_is_one_line(capsys):
    full = OSError(errno.ENOSPC, "No space left on device", "out/x")
    assert leave(full) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: No space left on device (out/x); ")
    assert line.count("\n") == 1
    assert leave(PermissionError(errno.EACCES, "Permission denied", "/x")) == 2
    assert "/x" in capsys.readouterr().err


def test_ctrl_c(capsys):
    assert leave(KeyboardInterrupt()) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("bug", [ValueError("bug"),
                                 OSError(errno.EPIPE, "pipe")])
def test_other_errors_keep_their_traceback(bug):

    def main():
        raise bug

    with pytest.raises(type(bug)):
        cli.run(main)


@pytest.fixture
def parser():
    made = cli.Parser(description="test")
    cli.add_config_options(made)
    cli.add_switch(made, "--do_eval", "evaluate")
    return made


def test_options_not_given_are_none(parser):
    given = vars(parser.parse_args(["--config", "c.yml"]))
    assert given.pop("config") == "c.yml"
    assert set(given.values()) == {None}


def test_options(parser):
    given = parser.parse_args(
        ["--config", "c.yml", "--opts", "a=1", "b=2", "--do_eval", "--opts",
         "c=3", "--seed", "0"])
    assert given.opts == ["a=1", "b=2", "c=3"]
    assert given.do_eval is True and given.seed == 0


@pytest.mark.parametrize("flags, said", [
    (["--config", "c.yml", "--num_wokers", "3"],
     "--num_wokers is not an option of"),
    (["--config", "c.yml", "--num_wokers=3"], "mean '--num_workers'?"),
    (["--conf", "c.yml"], "--config"),
    (["--config", "c.yml", "--seed", "x"], "--seed: invalid int value"),
    ([], "--config"),
])
def test_wrong_options_are_one_line(parser, capsys, flags, said):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(flags)
    assert caught.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ") and line.count("\n") == 1
    assert said in line


@pytest.mark.parametrize("name", ["gpus", "gpu:", "gpu:x", "cpu:0", "tpu"])
def test_unknown_devices(name):
    with pytest.raises(UserError, match="is unknown; allowed: cpu, gpu"):
        cli.select_device(name)


class TestWithoutGpu:

    @pytest.fixture(autouse=True)
    def no_gpu(self, monkeypatch):
        import paddle
        monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: False)

    def test_cpu(self):
        assert str(cli.select_device("cpu")) == "Place(cpu)"
        assert str(cli.select_device("auto")) == "Place(cpu)"
        assert str(cli.select_device()) == "Place(cpu)"

    @pytest.mark.parametrize("name", ["gpu", "gpu:0"])
    def test_gpu(self, name):
        with pytest.raises(UserError) as caught:
            cli.select_device(name)
        assert f"--device {name}" in str(caught.value)
        assert "allowed here: cpu" in str(caught.value)


def test_a_gpu_beyond_the_last(monkeypatch):
    import paddle
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(paddle, "set_device", lambda name: name)
    assert cli.select_device("gpu:1") == "gpu:1"
    assert cli.select_device() == "gpu"
    with pytest.raises(UserError, match="allowed: gpu:0 to gpu:1"):
        cli.select_device("gpu:2")


@pytest.mark.parametrize("how, status", [
    ("cli.run(lambda: [print(k, flush=True) for k in (1, 2)] and 3)", 141),
    ("cli.run(lambda: print(1) or 3)", 141),
    # A run goes on, to write its checkpoint.
    ("cli.run(lambda: [say('one') for _ in range(2)] and 3)", 3)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_reads(how, status, unbuffered):
    code = ("from contrib_semiseg import environment; environment.prepare();"
            "from contrib_semiseg.cvlibs import cli;"
            f"from contrib_semiseg.engine.console import say; {how}")
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run([sys.executable, "-c", code], stdout=theirs,
                              stderr=subprocess.PIPE, text=True, cwd=ROOT,
                              env={**os.environ,
                                   "PYTHONUNBUFFERED": unbuffered})
    finally:
        os.close(theirs)
    assert done.returncode == status and "Error" not in done.stderr, \
        done.stderr


def test_a_broken_pipe_elsewhere_is_a_bug():
    def main():
        raise BrokenPipeError(32, "of a worker")

    with pytest.raises(BrokenPipeError):
        cli.run(main)


def test_errors_arrive_from_a_worker_process():
    sent = ArgumentError("size", 3, "4 or more")
    found = pickle.loads(pickle.dumps(sent))
    assert (str(found), found.allowed) == (str(sent), "4 or more")

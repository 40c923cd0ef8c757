# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A run of seconds: generated 32 x 32 scenes and a small network."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def config(folder, **changes):
    """Write a complete CPS+CutMix configuration; returns its path.

    Args:
        folder (Path): for the file and the generated images.
        changes: top-level keys to replace.
    """
    data = {"type": "ShapeScenes", "size": [32, 32], "labeled": 4,
            "unlabeled": 8, "val": 4, "cache_dir": str(folder / "scenes")}
    norm = {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3}
    train = [{"type": "RandomMirror"},
             {"type": "RandomScale", "factors": [0.75, 1.0, 1.5]},
             {"type": "RandomCrop", "crop_size": [32, 32]}, norm,
             {"type": "CenterPad", "size": [32, 32]}]
    tree = {
        "batch_size": 2, "iters": 8, "save_interval": 4, "log_iters": 2,
        "num_workers": 0, "device": "cpu", "save_dir": str(folder / "run"),
        "train_dataset": {**data, "transforms": train},
        "unlabeled_dataset": {**data, "transforms": train,
                              "masks": {"mask": {"type": "BoxMask"}}},
        "val_dataset": {**data, "transforms": [norm]},
        "model": {"type": "DeepLabV3Plus",
                  "backbone": {"type": "SmallResNet",
                               "channels": [4, 6, 8, 8, 8]},
                  "aspp_channels": 8, "aspp_rates": [1, 2],
                  "low_channels": 4, "decoder_channels": 8,
                  "dropout": [0, 0, 0.1]},
        "method": {"type": "CPSCutMix"},
        "loss": {"types": [{"type": "CrossEntropyLoss"}], "coef": [1]},
        "optimizer": {"type": "SGD", "momentum": 0.9, "weight_decay": 1.0e-4},
        "lr_scheduler": {"type": "PolyLR", "learning_rate": 0.05},
    }
    tree.update(changes)
    path = folder / "tiny.yml"
    path.write_text(yaml.safe_dump(tree))
    return path


def start(script, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
          **environment):
    """Start a root script as a user does; returns the Popen."""
    return subprocess.Popen(
        [sys.executable, script, *map(str, arguments)], cwd=ROOT, text=True,
        stdout=stdout, stderr=stderr,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment})


def run(script, *arguments, **environment):
    """Run a root script to its end; returns (status, stdout, stderr)."""
    process = start(script, *arguments, **environment)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def free_port():
    """A port of this machine that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_launcher(logs, *command, **options):
    """Start a script in two processes of one group; returns the Popen.

    Args:
        logs (Path): folder for workerlog.0 and .1.
        command: script and arguments.
        options: see `start`.
    """
    port = free_port()
    return start(
        "-m", "paddle.distributed.launch", "--nproc_per_node", 2, "--master",
        f"127.0.0.1:{port}", "--log_dir", logs, *command,
        PYTHONPATH=str(ROOT), PADDLE_JOB_ID=logs.parent.name, **options)


def launch(folder, *command, seconds=300):
    """Run a script in two processes of one group; returns their logs.

    Args:
        folder (Path): a new one, for the logs.
        command: script and arguments.
    """
    process = start_launcher(folder / "log", *command)
    out, err = process.communicate(timeout=seconds)
    logs = [p.read_text() for p in sorted((folder / "log").glob("workerlog*"))]
    assert process.returncode == 0, out + err + "".join(logs)
    return logs


def children(pid):
    """Process ids of a process' children, in the order of their start."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sorted(map(int, text.split()))


def wait_for(test, seconds=60):
    """Wait until `test()` is true; returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = test()
        if value:
            return value
        time.sleep(0.005)
    raise TimeoutError("nothing happened in time")


def kill(process, number=signal.SIGKILL):
    """Send a signal and wait for the end; returns (status, out, err)."""
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err

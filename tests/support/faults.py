# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Faults done to real runs, and what comes of them.

    python -m tests.support.faults    prints the table of docs/reliability.md

Each one hits a training that is under way, is mended, and the run is taken up
by `--resume_model auto`; it then has to end with the weights of a run that
nothing happened to, byte for byte.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from safetensors import safe_open

from contrib_semiseg.engine import checkpoint
from tests.datasets.files import write_files
from tests.support import tiny
from tests.support.fork_server import Server

ITERS, HIT = 60, 10  # length of the runs; where a fault comes
SCRIPT = "tests/support/train_standardized.py"


@dataclasses.dataclass
class Row:
    """What came of a fault.

    Attributes:
        fault (str): what was done.
        status (int): exit status of the run, or of the launcher.
        happened (str): the line that says so.
        lost (int): iterations that were done again.
        seconds (float): from the fault to the end of all processes.
        same (bool): whether the run then ended as an undisturbed one.
    """

    fault: str
    status: int
    happened: str
    lost: int
    seconds: float
    same: bool

    def __str__(self):
        """A line of the table."""
        return (f"| {self.fault} | status {self.status}; {self.happened} | "
                f"{self.lost} iterations | {self.seconds:.1f} |" +
                ("" if self.same else " **other weights**"))


def arrays(folder):
    """All bytes of a checkpoint but the paths in its meta values."""
    with safe_open(str(folder / checkpoint.TRAINING), "np") as f:
        state = {key: f.get_tensor(key).tobytes() for key in f.keys()}
    return {**state, "": (folder / checkpoint.MODEL).read_bytes()}


class Launched:
    """A run of two processes under Paddle's launcher."""

    def __init__(self, log, *arguments):
        self.folder = log.with_suffix(".logs")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.process = tiny.start_launcher(self.folder, *arguments,
                                           stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL)

    @property
    def text(self):
        return "\n".join(p.read_text(errors="replace") for p in
                         sorted(self.folder.glob("workerlog.*")))

    def ranks(self):
        """Process ids, by rank."""
        return tiny.children(self.process.pid)

    def wait(self, seconds=60):
        try:
            return self.process.wait(seconds), self.text
        except subprocess.TimeoutExpired:
            for pid in self.ranks():
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            raise


class Scene:
    """Images, a configuration, and the run that nothing happens to.

    Args:
        folder (Path): an empty one.
        server (Server): starts runs of one process.
        two (bool): runs of two processes instead.
    """

    def __init__(self, folder, server, two=False):
        self.folder, self.server, self.two = folder, server, two
        self.data = write_files(folder / "data", count=6, size=(40, 36),
                                classes=2)
        path = tiny.config(folder, save_interval=4, log_iters=1, iters=ITERS,
                           num_workers=1)
        tree = yaml.safe_load(path.read_text())
        tree["num_classes"] = 2
        for section in ("train_dataset", "unlabeled_dataset", "val_dataset"):
            ops = tree[section]["transforms"]
            tree[section].update(
                type="ListDataset", dataset_root=str(self.data),
                list_file="list.txt", transforms=[
                    {"type": "Standardize"} if op["type"] == "Normalize"
                    else op for op in ops])
            for key in ("size", "labeled", "unlabeled", "val", "cache_dir"):
                del tree[section][key]
        path.write_text(yaml.safe_dump(tree))
        self.config = path
        self.expected = self.result(folder / "undisturbed")

    def start(self, run, *more):
        arguments = [SCRIPT, "--config", self.config, "--save_dir", run,
                     "--resume_model", "auto", *more]
        log = self.folder / "log.txt"
        if self.two:
            return Launched(log, *arguments)
        return self.server.start(log, *arguments)

    def result(self, run, *more):
        """Run, or go on, to the end; the last checkpoint's bytes."""
        status, self.text = self.start(run, *more).wait(120)
        assert status == 0, self.text
        return arrays(run / f"iter_{ITERS}")

    def under_way(self, run, *more, it=HIT):
        """Start a run and wait until it is at an iteration."""
        command = self.start(run, *more)
        tiny.wait_for(lambda: f"iter: {it}/" in command.text)
        return command

    def row(self, fault, run, command, hit, mend=lambda: None, *more):
        """Do `hit()` to a run, wait for its end, mend, and go on."""
        started = time.monotonic()
        hit()
        status, text = command.wait()
        seconds = time.monotonic() - started
        done = max(map(int, re.findall(rf"iter: (\d+)/{ITERS}", text)))
        mend()
        same = self.result(run, *more) == self.expected
        found = re.search(rf"iteration (\d+) of {ITERS}", self.text)
        told = re.findall("^error: .*|^stopped by .*", text, re.M)
        told += re.findall(r"\[RESUME\] .* is passed over: .*", self.text)
        line = (told[-1] if told else "no word").replace(
            f"{self.folder}/", "")
        return Row(fault, status, line, done - int(found[1]), seconds, same)


def stopped(scene, run):
    command = scene.under_way(run)
    return scene.row("SIGTERM", run, command,
                     lambda: command.signal(signal.SIGTERM))


def killed(scene, run):
    command = scene.under_way(run)
    return scene.row("SIGKILL of the run and its workers", run, command,
                     lambda: command.signal(signal.SIGKILL))


def killed_worker(scene, run):
    command = scene.under_way(run)
    worker, = command.workers()
    return scene.row("SIGKILL of a loader worker", run, command,
                     lambda: os.kill(worker, signal.SIGKILL))


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 8 MB; PermissionError where none may be mounted."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs",
                           str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(scene, run):
    with small_disk(run.with_suffix(".disk")) as disk:
        run, filler = disk / "run", disk / "filler"
        command = scene.under_way(run, "--keep_checkpoint_max", 2)

        def fill():
            with contextlib.suppress(OSError), open(filler, "wb") as f:
                while True:
                    f.write(bytes(4096))
                    f.flush()

        row = scene.row("disk full during a checkpoint", run, command, fill,
                        filler.unlink)
        assert not list(run.glob(".iter_*")), "a half-written checkpoint"
        return row


def damaged(scene, run, fault, change, name):
    """SIGKILL, and the newest checkpoint's file is changed as well."""
    command = scene.under_way(run)

    def hit():
        command.signal(signal.SIGKILL)
        command.wait()
        change(checkpoint.checkpoints(run)[-1] / name)

    return scene.row(fault, run, command, hit)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncated_checkpoint(scene, run):
    return damaged(scene, run, "newest checkpoint truncated", truncate,
                   checkpoint.TRAINING)


def flipped_checkpoint(scene, run):
    return damaged(scene, run, "a byte of the newest checkpoint flipped",
                   flip, checkpoint.TRAINING)


def flipped_network(scene, run):
    return damaged(scene, run, "a byte of its model.pdparams flipped", flip,
                   checkpoint.MODEL)


def missing_file(scene, run):
    return damaged(scene, run, "a file of the newest checkpoint removed",
                   Path.unlink, checkpoint.TRAINING)


def _image(scene, run, fault, change):
    image = scene.data / "imgs" / "3.png"
    kept = image.read_bytes()
    command = scene.under_way(run)
    return scene.row(fault, run, command, lambda: change(image),
                     lambda: image.write_bytes(kept))


def deleted_image(scene, run):
    return _image(scene, run, "image deleted", Path.unlink)


def truncated_image(scene, run):
    return _image(scene, run, "image truncated", truncate)


def vanished_data(scene, run):
    away = scene.data.with_name("away")
    command = scene.under_way(run)
    return scene.row("folder of the images gone", run, command,
                     lambda: scene.data.rename(away),
                     lambda: away.rename(scene.data))


def nan_input(scene, run):
    """A black image, which `Standardize` divides by its deviation of 0."""
    return _image(scene, run, "an image turns into NaN", blacken)


def blacken(path):
    """Replace an image, in one go, by a black one of its size."""
    new = path.with_suffix(".new")
    Image.fromarray(np.zeros((36, 40, 3), np.uint8)).save(new, "png")
    new.replace(path)


def nan_skipped(scene, run):
    """The same image from the start, passed over, and a kill besides."""
    image = scene.data / "imgs" / "3.png"
    kept = image.read_bytes()
    blacken(image)
    option = "--opts", f"skip_nonfinite={ITERS}"
    usual = scene.expected
    scene.expected = scene.result(run.with_name("skipping"), *option)
    count = re.findall(r"skipped: (\d+)", scene.text)[-1]
    command = scene.under_way(run, *option)
    row = scene.row(
        f"an image turns into NaN, skip_nonfinite = {ITERS}; SIGKILL", run,
        command, lambda: command.signal(signal.SIGKILL), lambda: None,
        *option)
    assert re.findall(r"skipped: (\d+)", scene.text)[-1] == count
    row.happened = f"{count} of {ITERS} updates left out, said in the log"
    image.write_bytes(kept)
    scene.expected = usual
    return row


def _rank(scene, run, fault, ranks, number):
    command = scene.under_way(run)
    pids = command.ranks()

    def hit():
        for rank in ranks:
            os.kill(pids[rank], number)

    return scene.row(fault, run, command, hit)


def rank_killed(scene, run):
    return _rank(scene, run, "SIGKILL of one of two processes", [1],
                 signal.SIGKILL)


def ranks_killed(scene, run):
    return _rank(scene, run, "SIGKILL of both processes", [0, 1],
                 signal.SIGKILL)


def rank_stopped(scene, run):
    return _rank(scene, run, "SIGTERM to one of two processes", [1],
                 signal.SIGTERM)


def launcher_stopped(scene, run):
    command = scene.under_way(run)
    return scene.row("SIGTERM to the launcher of two", run, command,
                     command.process.terminate)


def two(fault):
    """The same fault, done to a run of two processes."""
    def done(scene, run):
        row = fault(scene, run)
        row.fault += ", two processes"
        return row

    done.__name__ = f"{fault.__name__}_of_two"
    return done


ONE = [stopped, killed, killed_worker, full_disk, truncated_checkpoint,
       flipped_checkpoint, flipped_network, missing_file, deleted_image,
       truncated_image, vanished_data, nan_input, nan_skipped]
TWO = [rank_stopped, launcher_stopped, rank_killed, ranks_killed,
       two(full_disk), two(deleted_image), two(nan_input)]


def main():
    print("| fault | what happened | lost | seconds |\n| --- | --- | --- | "
          "--- |")
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        for faults, name in ((ONE, "one"), (TWO, "two")):
            (Path(folder) / name).mkdir()
            scene = Scene(Path(folder) / name, server, two=name == "two")
            for fault in faults:
                print(fault(scene, scene.folder / fault.__name__), flush=True)


if __name__ == "__main__":
    main()

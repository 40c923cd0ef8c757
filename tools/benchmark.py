# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Measure what the trainer costs beside the computation itself.

    python tools/benchmark.py --config configs/cps/....yml [--steps 20]

In one run, block by block in turn: whole steps of the trainer with its loader
and log hook, and bare steps of the same method (forward, backward, optimizer,
its own update) on the batch that the trainer had last. The ratio compares
medians of neighbouring blocks, so that a machine whose speed drifts does not
decide it.

    python tools/benchmark.py --config ... --loss_part 160 240 320

Instead: what a step costs beside its networks, at these sides of the crops,
without data and without running the networks on whole batches.

    python tools/benchmark.py --config ... --scaling 2 [--rounds 3]

Instead: how the step of one process with `batch_size` images of each stream
compares with that of 2 processes that share them, each with one thread. Both
run in turn, so that a machine whose speed drifts does not decide it.
"""

import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import paddle  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.builder import Builder  # noqa: E402
from contrib_semiseg.cvlibs.config import Config  # noqa: E402
from contrib_semiseg.cvlibs.errors import UserError  # noqa: E402
from contrib_semiseg.cvlibs.schema import check_config  # noqa: E402
from contrib_semiseg.datasets.loader import TrainLoader  # noqa: E402
from contrib_semiseg.engine import distributed, loss_part  # noqa: E402
from contrib_semiseg.engine.hooks import LogHook  # noqa: E402
from contrib_semiseg.engine.trainer import Trainer  # noqa: E402
from contrib_semiseg.engine.training import (  # noqa: E402
    RunOptions,
    make_datasets,
    make_streams,
)
from contrib_semiseg.methods.base import Step  # noqa: E402

BLOCK = 2  # steps measured at a time, of each kind in turn


class Stopwatch:
    """Seconds per step of blocks of steps."""

    def __init__(self):
        self.blocks = []

    def time(self, function):
        started = time.perf_counter()
        for _ in range(BLOCK):
            function()
        if paddle.is_compiled_with_cuda():
            paddle.device.synchronize()
        self.blocks.append((time.perf_counter() - started) / BLOCK)

    @property
    def median(self):
        return statistics.median(self.blocks)


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    cli.add_config_options(parser)
    parser.add_argument("--batch_size", type=int,
                        help="images of each stream per step")
    parser.add_argument("--steps", type=int, default=20,
                        help="measured steps of each kind (default: 20)")
    parser.add_argument("--loss_part", type=int, nargs="+", metavar="SIDE",
                        help="measure the part beside the networks on crops "
                        "of SIDE x SIDE pixels")
    parser.add_argument("--epoch", type=int, default=None,
                        help="with --loss_part: epoch of the step, from 0 "
                        "(default: half of the run)")
    parser.add_argument("--scaling", type=int, metavar="N",
                        help="compare N processes with one on the same total "
                        "batch")
    parser.add_argument("--rounds", type=int, default=3,
                        help="with --scaling: runs of each kind, in turn "
                        "(default: 3)")
    parser.add_argument("--seconds_file", metavar="FILE",
                        help="write the seconds of each step there, as JSON, "
                        "and measure nothing else; also under the launcher")
    return vars(parser.parse_args())


def step_seconds(trainer, batches, steps, path):
    """Write the seconds of each step of the trainer, from process 0."""
    seconds = []
    for _ in range(steps):
        waited, started = trainer.wait_seconds, time.perf_counter()
        next(batches)
        if paddle.is_compiled_with_cuda():
            paddle.device.synchronize()
        seconds.append((time.perf_counter() - started,
                        trainer.wait_seconds - waited))
    if distributed.rank() == 0:
        Path(path).write_text(json.dumps(seconds))
    distributed.fence()


def steps_of(processes, batch, folder):
    """[seconds, of these waiting for data] of each step of a new run."""
    file = Path(folder) / "seconds.json"
    own = [a for k, a in enumerate(sys.argv[1:], 1) if not any(
        option in (a.partition("=")[0], sys.argv[k - 1])
        for option in ("--scaling", "--rounds", "--batch_size"))]
    command = [str(Path(__file__).resolve()), *own, "--batch_size",
               str(batch), "--seconds_file", str(file)]
    if processes > 1:
        command = ["-m", "paddle.distributed.launch", "--nproc_per_node",
                   str(processes), "--log_dir", str(Path(folder) / "log"),
                   *command]
    done = subprocess.run(
        [sys.executable, *command], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise UserError(f"{processes} processes ended with status "
                        f"{done.returncode}: {done.stdout[-2000:]}")
    return json.loads(file.read_text())


def scaling(processes, batch, rounds):
    """Print how `processes` compare with one on `batch` images a step."""
    each, rest = divmod(batch, processes)
    if rest or not each:
        raise UserError(f"--scaling {processes}: batch_size = {batch}; "
                        f"allowed: a multiple of {processes}")
    blocks = {1: [], processes: []}
    waits = {1: [], processes: []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for count, images in ((1, batch), (processes, each)):
                rows = steps_of(count, images, folder)
                seconds, waited = zip(*rows)
                blocks[count].append(statistics.median(seconds))
                waits[count].append(statistics.median(waited))
    one, several = (statistics.median(blocks[k]) for k in (1, processes))
    ratios = [a / b for a, b in zip(blocks[1], blocks[processes])]
    speedup = statistics.median(ratios)
    for count, images in ((1, batch), (processes, each)):
        wait = statistics.median(waits[count])
        print(f"{count} x {images} images, 1 thread each  "
              f"{statistics.median(blocks[count]):8.4f} s a step"
              f"   (rounds from {min(blocks[count]):.4f} to "
              f"{max(blocks[count]):.4f}; {wait:.4f} s of it waiting for "
              "data)")
    print(f"images per second            {batch / one:.2f} and "
          f"{batch / several:.2f}")
    print(f"speed-up                     {speedup:.3f}   (rounds from "
          f"{min(ratios):.3f} to {max(ratios):.3f})")
    print(f"efficiency                   {100 * speedup / processes:.1f} % "
          f"of {processes} processes")


def loss_parts(config, sides, epoch):
    """Print the cost of the part beside the networks, a line a size."""
    epochs = config.get("epochs", 80)
    epoch = epochs // 2 if epoch is None else epoch
    step = Step(it=epoch * 100, total=epochs * 100, epoch=epoch,
                epochs=epochs, iters_per_epoch=100)
    print("side  pixels   loss part   networks  share of step  peak memory  "
          "bytes a pixel")
    for side in sides:
        cost = loss_part.measure(config, side, step=step)
        each = cost.bytes / cost.pixels
        print(f"{side:4}  {cost.pixels:7}  {1000 * cost.seconds:6.0f} ms  "
              f"{cost.network_seconds:7.2f} s  {100 * cost.share:11.2f} %  "
              f"{cost.bytes / 2**20:7.1f} MiB  {each:13.0f}", flush=True)


def bare_step(method, optimizer, batch, step):
    """Forward, backward and updates, with nothing around them."""
    method.total_loss(method(batch, step)).backward()
    optimizer.step()
    optimizer.clear_grad()
    method.after_step(step)


def report(whole, bare, wait, images, steps):
    """Print the figures."""
    ratios = [a / b for a, b in zip(whole.blocks, bare.blocks)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"steps measured             {steps} of each kind")
    print(f"step of the trainer        {whole.median:.4f} s")
    print(f"bare compute               {bare.median:.4f} s")
    print(f"step / bare compute        {statistics.median(ratios):.4f}"
          f"   (blocks from {min(ratios):.3f} to {max(ratios):.3f})")
    print(f"waiting for data           {100 * wait:.2f} % of the step")
    print(f"images per second          {images / whole.median:.2f}")
    print(f"peak memory of the process {peak:.2f} GiB")
    if paddle.is_compiled_with_cuda():
        peak = paddle.device.cuda.max_memory_allocated() / 2**30
        print(f"peak memory of the GPU     {peak:.2f} GiB")


def main():
    flags = parse()
    sides, epoch = flags.pop("loss_part"), flags.pop("epoch")
    steps = max(1, flags.pop("steps") // BLOCK) * BLOCK
    processes, rounds, path = (flags.pop(name) for name in (
        "scaling", "rounds", "seconds_file"))
    config = Config.load(flags.pop("config"), flags.pop("opts"), flags)
    check_config(config)
    cli.select_device(config.get("device"))
    if sides:
        loss_parts(config, sides, epoch)
        return
    run = RunOptions.of(config)
    if processes:
        scaling(processes, run.batch_size, rounds)
        return
    distributed.start()
    builder = Builder(config)
    paddle.seed(run.seed)
    method = distributed.synchronize_norms(builder.method())
    datasets = make_datasets(builder, method.requires)
    streams = make_streams(datasets, run)
    schedule = builder.schedule(steps + BLOCK)
    trainer = Trainer(
        method=method, optimizer=builder.optimizer()(method, schedule(0)),
        schedule=schedule, total_steps=steps + BLOCK, iters_per_epoch=steps,
        hooks=[LogHook(every=run.log_iters)])
    loader = TrainLoader(datasets=datasets, streams=streams, seed=run.seed,
                         start_step=0, total_steps=steps + BLOCK,
                         num_workers=run.num_workers,
                         requires=method.requires)
    method.train()
    batches = trainer.steps(loader)
    whole, bare = Stopwatch(), Stopwatch()
    for _ in range(BLOCK):  # the first ones allocate and start the workers
        next(batches)
    if path:
        step_seconds(trainer, batches, steps, path)
        return
    waited = trainer.wait_seconds
    for block in range(1, steps // BLOCK + 1):
        whole.time(lambda: next(batches))
        # What a method does may depend on the step and on the batch.
        step = trainer.step_of((block + 1) * BLOCK - 1)
        bare.time(functools.partial(bare_step, method, trainer.optimizer,
                                    trainer.batch, step))
    wait = (trainer.wait_seconds - waited) / (whole.median * steps)
    images = sum(len(next(iter(s.values())))
                 for s in trainer.batch.values())
    report(whole, bare, wait, images, steps)


if __name__ == "__main__":
    cli.run(main)

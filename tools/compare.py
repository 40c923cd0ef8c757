# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Train methods with one recipe and budget, and write down how they compare.

    python tools/compare.py --methods all --dataset camvid --split 1_32 \
        --seeds 0 [--iters 1000] [--jobs 2] [--dataset_root DIR]

Supervised on the labelled images, every method that has a configuration, and
supervised on all labels. The same command goes on with what was stopped or
killed, and repeats nothing; further methods or seeds may be added to the same
--save_dir, and the page is made of all runs there.
"""

import os
import shlex
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import UserError  # noqa: E402
from contrib_semiseg.reports import page, records  # noqa: E402
from contrib_semiseg.reports.jobs import Jobs  # noqa: E402
from contrib_semiseg.reports.plan import Setting, plan  # noqa: E402


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--methods", nargs="+", default=["all"], metavar="NAME",
        help="names of configurations, or all (default)")
    add("--dataset", required=True, help="camvid or shapescenes, as in the "
        "names of configurations")
    add("--split", help="as in the names of configurations, such as 1_32")
    add("--seeds", nargs="+", type=int, default=[0], metavar="N")
    add("--iters", type=int, help="iterations of each training (default: the "
        "configurations')")
    add("--staged", choices=("each", "total"), default="each",
        help="of a method in stages, each training has the whole budget, or "
        "they share it (as NAME_shared; default: each)")
    add("--eval_interval", type=int, metavar="N", help="iterations between "
        "evaluations and diagnoses (default: a fifth)")
    add("--save_dir", type=Path, help="folder of the runs (default: output/"
        "compare/DATASET_SPLIT)")
    add("--save_path", type=Path, default=ROOT / "docs" / "benchmark.md",
        help="the page (default: docs/benchmark.md)")
    add("--dataset_root", type=Path, help="folder of the data")
    add("--jobs", type=int, default=1, metavar="K",
        help="trainings side by side (default: 1)")
    add("--threads", type=int, metavar="N", help="of each training (default: "
        "the cores, shared out)")
    add("--num_workers", type=int, metavar="N", help="loader processes of "
        "each training")
    add("--device", metavar="NAME", help="cpu, gpu or gpu:N")
    add("--opts", nargs="+", action="extend", default=[],
        metavar="KEY=VALUE", help="keys of every configuration")
    cli.add_switch(parser, "--page_only", "train nothing, write the page")
    cli.add_switch(parser, "--dry_run", "show the commands alone")
    return parser.parse_args()


def check(args):
    for name in ("iters", "eval_interval", "jobs", "threads"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} {value} is not allowed; allowed: 1 or "
                            "more")
    if min(args.seeds) < 0:
        raise UserError(f"--seeds {min(args.seeds)} is not allowed; allowed: "
                        "0 or more")
    if args.dataset_root and not args.dataset_root.is_dir():
        raise UserError(f"--dataset_root {args.dataset_root}: there is no "
                        "such folder")


def say(text):
    print(text, flush=True)


def main():
    args = parse()
    check(args)
    flags = [f"--{name}={value}" for name in ("num_workers", "device")
             if (value := getattr(args, name)) is not None]
    setting = Setting(
        dataset=args.dataset, split=args.split, iters=args.iters,
        staged=args.staged, eval_interval=args.eval_interval,
        dataset_root=args.dataset_root and str(args.dataset_root.resolve()),
        opts=tuple(args.opts), flags=tuple(flags))
    save_dir = (args.save_dir or
                Path("output", "compare", setting.name)).resolve()
    path = args.save_path.resolve()
    entries = plan(ROOT, args.methods, list(dict.fromkeys(args.seeds)),
                   save_dir, setting)
    for entry in entries:
        entry.check()
    records.check(page.records_path(path, setting), entries)
    if args.dry_run:
        for entry in entries:
            say(shlex.join(["python", "train.py", *entry.command()]))
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(
        os, "sched_getaffinity") else os.cpu_count()
    jobs = Jobs("train.py", ROOT, count=args.jobs, say=say,
                threads=args.threads or max(1, cores // args.jobs),
                after=lambda: page.write(save_dir, setting, path, ROOT))
    stopped = 0 if args.page_only else jobs.run(entries)
    count = page.write(save_dir, setting, path, ROOT)
    say(f"{count} runs in {path}")
    if stopped:
        say(f"stopped by {signal.Signals(stopped).name}; go on with the same "
            "command")
        return 128 + stopped
    if jobs.failed:
        say(f"{len(jobs.failed)} of {len(entries)} runs did not end well: "
            f"{'; '.join(jobs.failed)}")
        return 1
    return 0


if __name__ == "__main__":
    cli.run(main)

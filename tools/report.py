# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Write one HTML file about trainings, to be opened without a network.

    python tools/report.py RUN... --save_path report.html [--pictures 3]

RUN is the save_dir of a training. Runs of one configuration with several
seeds are put together as mean and deviation.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import UserError  # noqa: E402
from contrib_semiseg.cvlibs.whole_file import write_file  # noqa: E402
from contrib_semiseg.reports.document import document, png  # noqa: E402
from contrib_semiseg.reports.runs import Run  # noqa: E402


def parse():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN",
        help="save_dir of a training")
    add("--save_path", type=Path, default=Path("report.html"),
        help="the file (default: report.html)")
    add("--pictures", type=int, default=0, metavar="N",
        help="show the N best and N worst validation pictures of each run; "
        "runs its network over the validation set (default: 0)")
    add("--picture_dir", type=Path, metavar="DIR",
        help="also write these pictures there, as PNG")
    add("--engine", default="auto", choices=("eager", "onnxruntime", "auto"),
        help="what runs the networks on a CPU")
    add("--device", metavar="NAME", help="cpu, gpu, gpu:N or auto")
    add("--opts", nargs="+", action="extend", default=[],
        metavar="KEY=VALUE", help="keys of the runs' configurations, for "
        "--pictures")
    return parser.parse_args()


def pictures_of(runs, args):
    """See `pictures.extremes`, for each run's folder."""
    from contrib_semiseg import environment

    environment.prepare()
    import contrib_semiseg.components  # noqa: F401
    from contrib_semiseg.reports.pictures import extremes

    cli.select_device(args.device)
    shown = {run.folder: extremes(run, args.pictures, args.engine, args.opts)
             for run in runs}
    if args.picture_dir is not None:
        args.picture_dir.mkdir(parents=True, exist_ok=True)
        for folder, found in shown.items():
            for kind, each in zip(("best", "worst"), found):
                for k, picture in enumerate(each, 1):
                    write_file(args.picture_dir /
                               f"{folder.name}_{kind}_{k}.png",
                               png(picture.panel))
    return shown


def main():
    args = parse()
    if args.pictures < 0:
        raise UserError(f"--pictures {args.pictures} is not allowed; allowed: "
                        "0 or more")
    if args.picture_dir is not None and not args.pictures:
        raise UserError("--picture_dir has no effect without --pictures N")
    runs = [Run(folder) for folder in dict.fromkeys(args.runs)]
    for run in runs:
        if not run.main:
            raise UserError(f"{run.folder} holds no training that has begun")
    shown = pictures_of(runs, args) if args.pictures else {}
    args.save_path.parent.mkdir(parents=True, exist_ok=True)
    write_file(args.save_path, document(runs, shown).encode(
        "utf-8", "replace"))
    print(f"{len(runs)} runs in {args.save_path}")
    return 0


if __name__ == "__main__":
    cli.run(main)

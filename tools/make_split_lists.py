# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Divide a training list into labelled and unlabelled images.

    python tools/make_split_lists.py --list data/voc/train_aug.txt \
        --labeled 212 --order tests/golden/data/ctt/splits.npz:out_voc_split1 \
        --save_dir data/splits/pascal/ctt/212

writes labeled.txt and unlabeled.txt. Without --order the lines are shuffled
by --seed. With --replace both lists are drawn again, with replacement.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import ArgumentError  # noqa: E402


def shuffled(count, seed):
    """The order that a seed gives: NumPy's old generator on 0..count - 1."""
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    return order


def read_order(text, count):
    """The order in a file: .txt, .npy, or an array of an .npz (FILE:NAME).

    Raises: ArgumentError, unless it is a permutation of 0..count - 1.
    """
    path, _, name = text.partition(".npz:")
    try:
        if name:
            with np.load(f"{path}.npz", allow_pickle=False) as file:
                order = file[name]
        elif text.endswith(".npy"):
            order = np.load(text, allow_pickle=False)
        else:
            order = np.loadtxt(text, dtype=np.int64, ndmin=1)
    except (OSError, ValueError, KeyError) as error:
        raise ArgumentError("--order", text, "a .txt or .npy file, or "
                            f"FILE.npz:NAME ({error})") from error
    if order.ndim != 1 or not np.array_equal(np.sort(order),
                                             np.arange(count)):
        raise ArgumentError("--order", text, f"the numbers 0 to {count - 1}, "
                            "each once, one for each line of the list")
    return order.astype(np.int64)


def divide(rows, order, labeled):
    """The first `labeled` rows of an order, and the others.

    Args:
        rows (list): of the sorted training list.
        order (array): permutation of its places.
        labeled (int): how many.
    """
    ordered = [rows[i] for i in order]
    return ordered[:labeled], ordered[labeled:]


def redraw(rows, rng):
    """As many rows, drawn with replacement."""
    return [rows[i] for i in rng.integers(len(rows), size=len(rows))]


def main():
    parser = cli.Parser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--list", required=True, metavar="FILE",
        help="all training images, a line each; sorted before it is divided")
    add("--labeled", required=True, type=int, metavar="N",
        help="images of labeled.txt")
    add("--order", metavar="FILE", help="numbers of the sorted lines: .txt, "
        ".npy or FILE.npz:NAME (default: shuffled by --seed)")
    add("--seed", type=int, default=0, metavar="N", help="(default: 0)")
    cli.add_switch(parser, "--replace", "draw each list again, with "
                   "replacement, as the DeepLabV3+ runs of CTT did")
    add("--save_dir", required=True, metavar="DIR",
        help="folder of the two lists")
    args = parser.parse_args()
    try:
        rows = sorted(filter(None, map(str.strip, Path(
            args.list).read_text(encoding="utf-8").splitlines())))
    except OSError as error:
        raise ArgumentError("--list", args.list, f"a text file ({error})"
                            ) from error
    if not 0 <= args.seed < 2**32:
        raise ArgumentError("--seed", args.seed, f"0 to {2**32 - 1}")
    if not 0 < args.labeled < len(rows):
        raise ArgumentError("--labeled", args.labeled, f"1 to "
                            f"{len(rows) - 1}, for {len(rows)} lines")
    order = (read_order(args.order, len(rows)) if args.order else
             shuffled(len(rows), args.seed))
    rng = np.random.default_rng(args.seed)
    os.makedirs(args.save_dir, exist_ok=True)
    for name, part in zip(("labeled", "unlabeled"),
                          divide(rows, order, args.labeled)):
        part = redraw(part, rng) if args.replace else part
        path = Path(args.save_dir, f"{name}.txt")
        path.write_text("\n".join(part) + "\n", encoding="utf-8")
        print(f"{path}: {len(part)} lines, {len(set(part))} images")
    return 0


if __name__ == "__main__":
    cli.run(main)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Make new splits of a dataset: which images count as labelled.

    python tools/make_splits.py --config configs/cps/....yml --name mine \
        --labeled 1/16 1/8 1/4
    python tools/make_splits.py --root data/own --images images \
        --masks masks --name mine --labeled 30 --val 0.1
    python tools/make_splits.py --root data/voc --list \
        data/splits/voc/unimatch/full/labeled.txt --val \
        data/splits/voc/unimatch/val.txt --name ctt --labeled 212 \
        --order tests/golden/data/ctt/splits.npz:out_voc_split1

The labelled images of 1/16 are among those of 1/8, and every class appears as
early as it can. docs/splits.md says more.
"""

import contextlib
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import (  # noqa: E402
    ArgumentError,
    DataError,
)
from contrib_semiseg.datasets import split_lists, splitting  # noqa: E402
from contrib_semiseg.datasets.base import (  # noqa: E402
    Row,
    SegDataset,
    without_file_check,
)
from contrib_semiseg.datasets.list_dataset import walk_images  # noqa: E402


class Pool(NamedTuple):
    """What splits are made of.

    root (str): the dataset's folder; dataset (SegDataset): the images with
    masks, to be counted; rows: their (image, mask), in its order; bare: rows
    without masks; val: validation rows, or None.
    """

    root: str
    dataset: object
    rows: list
    bare: list
    val: object


def from_config(path, opts):
    """The pool of a configuration's datasets."""
    import contrib_semiseg.components  # noqa: F401
    from contrib_semiseg.cvlibs.builder import Builder
    from contrib_semiseg.cvlibs.config import Config
    from contrib_semiseg.cvlibs.schema import check_config

    config = Config.load(path, opts)
    check_config(config, need=("train_dataset", ))
    builder = Builder(config)
    datasets = [builder.train_dataset(), None, builder.val_dataset()]
    try:
        datasets[1] = builder.unlabeled_dataset()
    except DataError as error:
        print(f"note: no further images without masks ({error})")
    root = config.get("train_dataset.dataset_root")
    if root is None:
        raise DataError(f"{path}: train_dataset has no dataset_root; allowed: "
                        "a dataset of files")
    rows, bare, val = ([_relative(row, root) for row in d.rows] if d else None
                       for d in datasets)
    return Pool(root, datasets[0], rows, bare or [], val)


def _relative(row, root):
    return tuple(None if path is None else
                 os.path.relpath(path, root).replace(os.sep, "/")
                 for path in (row.image, row.mask))


def from_folders(root, images, masks):
    """(rows, bare) of a folder of images, and one of masks for some."""
    found = {}
    for folder in (images, masks):
        if not os.path.isdir(os.path.join(root, folder)):
            raise DataError(f"there is no folder {os.path.join(root, folder)}")
    for name in walk_images(os.path.join(root, masks)):
        found[os.path.splitext(name)[0]] = f"{masks}/{name}"
    rows = [(f"{images}/{name}", found.pop(os.path.splitext(name)[0], None))
            for name in walk_images(os.path.join(root, images))]
    if found:
        raise DataError(f"{len(found)} masks have no image in "
                        f"{os.path.join(root, images)}, first: "
                        f"{next(iter(found.values()))}")
    return [r for r in rows if r[1]], [r for r in rows if not r[1]]


def from_rows(root, rows, bare, val=None):
    """A pool of rows whose masks hold class indices."""
    dataset = SegDataset(
        rows=[Row(os.path.join(root, image), os.path.join(root, mask), image)
              for image, mask in rows], where=f"root = {root}",
        role="labeled", transforms=[], num_classes=255)
    return Pool(root, dataset, rows, bare, val)


def count_pixels(pool, threads):
    """Pixels of each class in each image: int64 [images, classes].

    Raises: DataError of the first mask that cannot be read.
    """
    dataset = pool.dataset
    with ThreadPoolExecutor(threads) as workers:
        found = list(tqdm(workers.map(dataset.inspect, range(len(dataset))),
                          total=len(dataset), unit="image", disable=None))
    for problems, _ in found:
        if problems:
            raise DataError(f"{problems[0]}; tools/check_dataset.py finds "
                            "what else is wrong")
    return np.stack([counts[:dataset.num_classes] for _, counts in found])


def in_order(pool):
    """The pool with its rows sorted by their names."""
    places = sorted(range(len(pool.rows)), key=lambda i: pool.rows[i])
    pool.dataset.rows = [pool.dataset.rows[i] for i in places]
    return pool._replace(rows=[pool.rows[i] for i in places],
                         bare=sorted(pool.bare))


def check_pool(pool):
    """Refuse a pool whose parts share images, or that has one twice."""
    images = [image for image, _ in pool.rows]
    if len(set(images)) < len(images):
        raise DataError("the images with masks hold one twice, first: " + next(
            i for i, k in zip(sorted(images), sorted(images)[1:]) if i == k))
    for pair, shared in split_lists.overlaps(
            {"labeled": pool.rows, "val": pool.val or []}).items():
        raise DataError(f"{' and '.join(pair.split())} images share "
                        f"{len(shared)}, first: {shared[0]}; take them out of "
                        "one of the two")


def missing_classes(pool, present, chosen):
    """A line on classes without a labelled image, or None."""
    have, could = present[chosen].any(axis=0), present.any(axis=0)
    # Of unnamed classes only those that occur are known.
    known = could | (pool.dataset.num_classes < 255)
    lacking = [f"{pool.dataset.class_names[c]} ({present[:, c].sum()} images "
               "in all)" for c in np.flatnonzero(known & ~have)]
    return f"no labeled image has: {', '.join(lacking)}" if lacking else None


def make(args, pool):
    """Write all splits that the command line asks for; prints each."""
    check_pool(pool)
    dataset = args.dataset or os.path.basename(os.path.normpath(pool.root))
    present = None
    if not (args.order or args.plain):
        present = splitting.presence(count_pixels(pool, args.num_workers or
                                                  os.cpu_count() or 1),
                                     args.min_pixels)

    def ordered(seed):
        if args.order:
            return splitting.read_order(args.order, len(pool.rows))
        return splitting.balanced(present, seed) if present is not None else \
            splitting.shuffled(len(pool.rows), seed)

    order, val = ordered(args.seed), pool.val
    first = 0
    if args.val and not os.path.isfile(args.val):
        if val:
            raise ArgumentError("--val", args.val, "a list file, or nothing: "
                                "the configuration has a val_dataset")
        first = splitting.size_of(args.val, len(pool.rows) - 1, "--val")
        # From the end: what the balanced beginning leaves is balanced too.
        val = [pool.rows[i] for i in sorted(order[-first:])]
    kept = {image for image, _ in val or []}
    bare = [row for row in pool.bare if row[0] not in kept | {
        image for image, _ in pool.rows}]
    usable = len(pool.rows) - first
    for text in args.labeled:
        size = splitting.size_of(text, usable)
        places = order[:usable]
        if args.not_nested:
            places = [i for i in ordered(args.seed + size)
                      if pool.rows[i][0] not in kept]
        labeled, rest = splitting.divide(pool.rows, places, size)
        line = None if present is None else missing_classes(
            pool, present, places[:size])
        if args.replace:
            rng = np.random.default_rng(args.seed)
            labeled, rest = (splitting.redraw(rows, rng) for rows in
                             (labeled, rest))
        unlabeled = [*rest, *bare]
        name = splitting.name_of(text) + (
            "" if args.order else f"_{args.seed}")
        folder = os.path.join(args.save_dir, dataset, args.name, name)
        store(folder, {"labeled": labeled, "unlabeled": unlabeled or None,
                       "val": val}, notes(args, pool, line), args.overwrite)
        print(f"{folder}: {len(labeled)} labeled, {len(unlabeled)} "
              f"unlabeled, {len(val or [])} val images"
              + (f"; {line}" if line else ""))


def notes(args, pool, line):
    """What split.json says of how the split was made."""
    digest = hashlib.sha256("\n".join(i for i, _ in pool.rows).encode())
    blind = bool(args.plain or args.order)
    return {"made_by": "tools/make_splits.py", "seed": args.seed,
            "order": args.order, "stratified": not blind,
            "min_pixels": None if blind else args.min_pixels,
            "nested": not args.not_nested,
            "with_replacement": bool(args.replace),
            "images_with_masks": len(pool.rows),
            "sha256_of_their_names": digest.hexdigest(), "missing": line}


def store(folder, lists, said, overwrite):
    """Write a split, unless another one of that name is there."""
    found = Path(folder, "labeled.txt")
    if found.is_file() and not overwrite:
        old = {part: split_lists.read_rows(path, part != "unlabeled")
               for part in split_lists.PARTS
               if (path := Path(folder, f"{part}.txt")).is_file()}
        new = {part: [(image, None if part == "unlabeled" else mask)
                      for image, mask in rows]
               for part, rows in lists.items() if rows is not None}
        if old != new:
            raise DataError(f"{folder} holds another split already; choose "
                            "another --name or --seed, or give --overwrite")
    split_lists.write_split(folder, lists, said)


def parse(argv):
    parser = cli.Parser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--config", metavar="FILE", help="take the images with masks of its "
        "train_dataset, further images of unlabeled_dataset, and val_dataset")
    add("--opts", nargs="+", action="extend", metavar="KEY=VALUE",
        help="override keys of the configuration")
    add("--root", metavar="DIR", help="or: the dataset's folder, and")
    add("--list", metavar="FILE", help="lines image<TAB>mask below --root,")
    add("--images", metavar="DIR", help="or a folder of images below --root")
    add("--masks", metavar="DIR", help="and one of masks of the same names")
    add("--labeled", nargs="+", required=True, metavar="N", help="labeled "
        "images of each split: 1/8, 0.1 or 92")
    add("--val", metavar="FILE|N", help="a list of validation images, or how "
        "many to put aside (default: those of --config)")
    add("--name", required=True, metavar="NAME", help="the splits are named "
        "NAME/1_8_SEED")
    add("--dataset", metavar="NAME", help="folder below --save_dir (default: "
        "the last part of the dataset's folder)")
    add("--seed", type=int, default=0, metavar="N", help="(default: 0)")
    add("--min_pixels", type=int, default=64, metavar="N", help="an image "
        "with fewer pixels of a class does not stand for it (default: 64)")
    add("--order", metavar="FILE", help="numbers of the sorted images: .txt, "
        ".npy or FILE.npz:NAME, in place of a draw")
    cli.add_switch(parser, "--plain", "draw without looking at the masks")
    cli.add_switch(parser, "--not_nested", "draw each size by itself")
    cli.add_switch(parser, "--replace", "draw each list again, with "
                   "replacement, as the DeepLabV3+ runs of CTT did")
    cli.add_switch(parser, "--overwrite", "replace a split of that name")
    add("--num_workers", type=int, metavar="N", help="masks read at once")
    add("--save_dir", default=split_lists.FOLDER, metavar="DIR",
        help=f"(default: {split_lists.FOLDER})")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if not 0 <= args.seed < 2**31:
        raise ArgumentError("--seed", args.seed, f"0 to {2**31 - 1}")
    if args.config:
        pool = from_config(args.config, args.opts)
    elif args.root and (args.list or (args.images and args.masks)):
        rows, bare = (split_lists.read_rows(args.list, True), []
                      ) if args.list else from_folders(
                          args.root, args.images, args.masks)
        # Without a look at the masks the files need not be there yet.
        with without_file_check() if args.order or args.plain else \
                contextlib.nullcontext():
            pool = from_rows(args.root, rows, bare)
    else:
        raise ArgumentError("--config", args.config, "a file, or null with "
                            "--root and --list, or --root, --images, --masks")
    if args.val and os.path.isfile(args.val):
        pool = pool._replace(val=split_lists.read_rows(args.val, True))
    make(args, in_order(pool))
    return 0


if __name__ == "__main__":
    cli.run(main)

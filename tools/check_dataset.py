# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Look at every image and mask before training, and list what is wrong.

    python tools/check_dataset.py --config configs/cps/....yml
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from contrib_semiseg.cvlibs import cli  # noqa: E402
from contrib_semiseg.cvlibs.errors import DataError  # noqa: E402

SECTIONS = ("train_dataset", "unlabeled_dataset", "val_dataset")


def build(builder, section):
    """The dataset of a section, though files may be missing.

    Returns: (dataset or None, problems)
    """
    from contrib_semiseg.datasets.base import without_file_check

    try:
        with without_file_check():
            return getattr(builder, section)(), []
    except DataError as error:
        return None, [str(error)]


def inspect_all(datasets, threads):
    """Inspect every image of every dataset.

    Args:
        datasets (dict): section -> SegDataset.
        threads (int): decoders at work.
    Returns: (problems, pixels, images): list of str; section -> int64 [256]
        pixels of each mask value, and images that hold it.
    """
    jobs = [(s, d, i) for s, d in datasets.items() for i in range(len(d))]
    problems = []
    pixels = {s: np.zeros(256, np.int64) for s in datasets}
    images = {s: np.zeros(256, np.int64) for s in datasets}
    with ThreadPoolExecutor(threads) as pool, tqdm(
            total=len(jobs), unit="image", disable=None) as bar:
        found = pool.map(lambda job: job[1].inspect(job[2]), jobs)
        for (section, _, _), (wrong, counts) in zip(jobs, found):
            problems += [f"{section}: {p}" for p in wrong]
            if counts is not None:
                pixels[section] += counts
                images[section] += counts > 0
            bar.update()
    return problems, pixels, images


def shares_table(dataset, pixels, images):
    """Lines: share of the labelled pixels and images with each class."""
    counts = pixels[:dataset.num_classes]
    total = max(1, int(counts.sum()))
    width = max(len(n) for n in dataset.class_names)
    lines = [f"  {'class':{width + 4}} pixels   in images"]
    for i, name in enumerate(dataset.class_names):
        lines.append(f"  {i:3d} {name:{width}} {counts[i] / total:7.2%} "
                     f"{images[i]:9d} of {len(dataset)}")
    ignored = pixels[dataset.ignore_index] / max(1, int(pixels.sum()))
    return [*lines, f"  ignored ({dataset.ignore_index}): {ignored:.2%}"]


def shared_files(datasets):
    """Notes on images of the validation set that training sees too."""
    files = {s: {os.path.realpath(d.image_path(i)) for i in range(len(d))}
             for s, d in datasets.items()}
    val = files.pop("val_dataset", set())
    return [f"note: {len(val & other)} images of val_dataset are also in "
            f"{section}" for section, other in files.items() if val & other]


def check(builder, threads):
    """Print problems and class shares; return the problems."""
    datasets, problems = {}, []
    for section in SECTIONS:
        dataset, wrong = build(builder, section)
        problems += wrong
        if dataset is not None:
            datasets[section] = dataset
    wrong, pixels, images = inspect_all(datasets, threads)
    for section, dataset in datasets.items():
        print(f"{section}: {len(dataset)} images")
        if dataset.role != "unlabeled":
            print("\n".join(shares_table(dataset, pixels[section],
                                         images[section])))
    problems += wrong
    for line in shared_files(datasets) + problems:
        print(line)
    print(f"{len(problems)} problems" if problems else "no problems found")
    return problems


def main():
    parser = cli.Parser(description="Check every image and mask of the "
                        "datasets of a configuration.")
    cli.add_config_options(parser)
    flags = vars(parser.parse_args())
    path, opts = flags.pop("config"), flags.pop("opts")

    import contrib_semiseg.components  # noqa: F401
    from contrib_semiseg.cvlibs.builder import Builder
    from contrib_semiseg.cvlibs.config import Config
    from contrib_semiseg.cvlibs.schema import check_config

    config = Config.load(path, opts, flags)
    check_config(config, need=("train_dataset", ))
    threads = flags["num_workers"] or os.cpu_count() or 1
    return 1 if check(Builder(config), threads) else 0


if __name__ == "__main__":
    cli.run(main)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Look at every image and mask before training, and list what is wrong.

    python tools/check_dataset.py --config configs/cps/....yml
"""

import collections
import functools
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from tqdm import tqdm  # noqa: E402

from contrib_semiseg.cvlibs import cli, sections  # noqa: E402
from contrib_semiseg.cvlibs.errors import DataError  # noqa: E402
from contrib_semiseg.datasets import inspection  # noqa: E402

STREAMS = {"train_dataset": "labeled", "unlabeled_dataset": "unlabeled"}
SECTIONS = (*STREAMS, "val_dataset")


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


def held_out_twice(val_split, datasets):
    """What a run would refuse: held out images that it trains on."""
    from contrib_semiseg.engine.training import refuse_overlap

    training = {STREAMS[section]: dataset for section, dataset in
                datasets.items() if section in STREAMS}
    try:
        refuse_overlap(val_split, training, datasets.get("val_dataset"))
    except DataError as error:
        return [str(error)]
    return []


def sizes_of(dataset, looks):
    """How many images have which (width, height): Counter."""
    paths = (os.path.realpath(dataset.image_path(i))
             for i in range(len(dataset)))
    sizes = collections.Counter(looks[path].size for path in paths)
    sizes.pop(None, None)
    return sizes


def shown(size):
    return f"{size[0]} x {size[1]}"


def sizes_line(sizes):
    """The images' sizes in words."""
    if len(sizes) <= 3:
        return "sizes (w x h): " + (", ".join(
            f"{shown(s)} ({n})" for s, n in sizes.most_common()) or "none")
    ordered = sorted(sizes, key=lambda s: s[0] * s[1])
    return (f"{len(sizes)} sizes (w x h): {shown(ordered[0])} to "
            f"{shown(ordered[-1])}, most often "
            f"{shown(sizes.most_common(1)[0][0])}")


def _resized(op, size):
    """The (width, height) that PaddleSeg's Resize makes of a size."""
    if not getattr(op, "keep_ratio", False):
        return op.target_size
    scale = min(max(op.target_size) / max(size), min(op.target_size) /
                min(size))
    return [round(side * scale) for side in size]


def crop_line(dataset, sizes):
    """What a network sees of the images, or None if transforms do not say."""
    fit, crop, words = None, None, ""
    for op in dataset.transforms:
        if isinstance(getattr(op, "target_size", None), (list, tuple)):
            fit = functools.partial(_resized, op)
            words = shown(op.target_size)
            if getattr(op, "keep_ratio", False):
                words = f"fit into {words}"
        crop = crop or getattr(op, "crop_size", None)
    if dataset.crops is not None:
        crop = dataset.crops.size[::-1]
    if crop is None:
        return fit and f"whole images, resized to {words}"
    smaller = [n for size, n in sizes.items() if any(
        side < wanted for side, wanted in zip(fit(size) if fit else size,
                                              crop))]
    return (f"crops of {shown(crop)}" +
            (f" from images resized to {words}" if fit else "") +
            (f"; {sum(smaller)} of {len(dataset)} images are smaller than "
             "that and get a border" if smaller else ""))


def copies(datasets, twins):
    """Notes on pictures that stand in two sections, or twice in one.

    Args:
        datasets (dict): section -> SegDataset.
        twins (list): lists of paths that hold the same picture.
    """
    first = {path: paths[0] for paths in twins for path in paths}
    files = {}  # section -> {picture: its paths}
    for section, dataset in datasets.items():
        own = files[section] = collections.defaultdict(list)
        for i in range(len(dataset)):
            path = os.path.realpath(dataset.image_path(i))
            own[first.get(path, path)].append(path)
    notes = []
    for section, own in files.items():
        again = [paths for paths in own.values() if len(paths) > 1]
        if again:
            notes.append(f"note: {sum(map(len, again)) - len(again)} images "
                         f"of {section} are in it already, first: "
                         f"{again[0][1]} equals {again[0][0]}")
    for one, other in (("val_dataset", "train_dataset"),
                       ("val_dataset", "unlabeled_dataset"),
                       ("unlabeled_dataset", "train_dataset")):
        both = [k for k in files.get(one, ()) if k in files.get(other, ())]
        if both:
            count = sum(len(files[one][k]) for k in both)
            notes.append(f"note: {count} images of {one} are also in {other}, "
                         f"first: {files[one][both[0]][0]} equals "
                         f"{files[other][both[0]][0]}")
    return notes


def notes_of(section, dataset, found):
    """Notes on what is allowed, but perhaps not meant."""
    own = [found.looks[os.path.realpath(dataset.image_path(i))]
           for i in range(len(dataset))]
    notes = []
    deep = [one.deepest for one in own if one.deepest is not None]
    if deep:
        notes.append(f"{len(deep)} images have 16 bits a channel and values "
                     f"up to {max(deep)}; image_range: [0, {max(deep)}] would "
                     "give these all 256 levels, the default expects 65535")
    if dataset.role == "unlabeled":
        return [f"note: {section}: {text}" for text in notes]
    turned = sum(one.turned for one in own)
    if turned:
        notes.append(f"{turned} images are turned upright by an EXIF tag; "
                     "their masks must be upright, too (else a FolderDataset "
                     "takes both as stored with exif_rotation: false)")
    pixels = found.pixels[section]
    absent = [name for name, count in zip(dataset.class_names, pixels)
              if not count]
    if absent:
        binary = dataset.num_classes == 2 and pixels[dataset.ignore_index]
        notes.append(f"no pixel is of {', '.join(absent)}" + (
            "; do the masks hold 0 and 255? mask_values: [0, 255]"
            if binary else ""))
    return [f"note: {section}: {text}" for text in notes]


def check(builder, processes, val_split=None):
    """Print problems and class shares; return the problems."""
    datasets, problems = {}, []
    for section in SECTIONS:
        dataset, wrong = build(builder, section)
        problems += wrong
        if dataset is not None:
            datasets[section] = dataset
    with tqdm(total=len(inspection.users_of(datasets)), unit="image",
              disable=None) as bar:
        found, twins = inspection.inspect_all(datasets, processes, bar.update)
    notes = []
    for section, dataset in datasets.items():
        sizes = sizes_of(dataset, found.looks)
        print(f"{section}: {len(dataset)} images")
        print(f"  {sizes_line(sizes)}")
        crop = crop_line(dataset, sizes)
        if crop:
            print(f"  {crop}")
        if dataset.role != "unlabeled":
            print("\n".join(shares_table(dataset, found.pixels[section],
                                         found.images[section])))
        problems += [f"{section}: {p}" for p in found.problems[section]]
        notes += notes_of(section, dataset, found)
    problems += held_out_twice(val_split, datasets)
    for line in [*notes, *copies(datasets, twins), *problems]:
        print(line)
    print(f"{len(problems)} problems" if problems else "no problems found")
    return problems


def usage(builder, datasets):
    """What a run of a configuration takes of its datasets, in words.

    Args:
        builder (Builder): of the configuration.
        datasets (dict): stream -> dataset, "labeled" and "unlabeled".
    """
    from contrib_semiseg.engine.training import RunOptions, make_streams

    config, name = builder.config, builder.config.get("method.type")
    wanted = {key.split(".")[0] for key in getattr(
        sections.find("method", name), "requires", ())} | {"labeled"}
    run = RunOptions.of(config)
    streams = make_streams({stream: data for stream, data in datasets.items()
                            if stream in wanted}, run)
    epoch = max(1, streams["labeled"].iters_per_epoch // run.accumulate_steps)
    steps = run.iters or epoch * run.epochs
    takes = ", ".join(f"{len(datasets[s])} {s} images" for s in streams)
    left = "" if "unlabeled" in wanted or "unlabeled" not in datasets else (
        "; unlabeled_dataset is not used")
    return (f"{name} takes {takes}{left}; batch_size {run.batch_size}: an "
            f"epoch is {epoch} steps, the run {steps} steps = "
            f"{steps / epoch:.4g} epochs")


def main():
    parser = cli.Parser(description="Check every image and mask of the "
                        "datasets of a configuration.")
    cli.add_config_options(parser)
    flags = vars(parser.parse_args())
    path, opts = flags.pop("config"), flags.pop("opts")

    import contrib_semiseg.components  # noqa: F401
    from contrib_semiseg.cvlibs.builder import Builder
    from contrib_semiseg.cvlibs.config import Config
    from contrib_semiseg.cvlibs.schema import TRAIN, check_config

    config = Config.load(path, opts, flags)
    check_config(config, need=("train_dataset", ))
    builder = Builder(config)
    problems = check(builder, flags["num_workers"] or os.cpu_count() or 1,
                     builder.val_split)
    stated = all(config.tree.get(k) is not None for k in TRAIN if k != "iters")
    if stated and ("iters" in config.tree or "epochs" in config.tree):
        datasets = {stream: build(builder, section)[0]
                    for section, stream in STREAMS.items()}
        datasets = {s: d for s, d in datasets.items() if d is not None}
        if "labeled" in datasets:
            print(usage(builder, datasets))
    return 1 if problems else 0


if __name__ == "__main__":
    cli.run(main)

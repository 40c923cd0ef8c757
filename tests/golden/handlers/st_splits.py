# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""ST: its published lists, and how long an epoch over each one is."""

import hashlib
import tempfile

from contrib_semiseg.datasets import split_lists
from contrib_semiseg.datasets.mixed import repetitions
from contrib_semiseg.metrics.reliability import most_reliable
from tests.golden.case import handles
from tests.support.published import CLONES
from tools import fetch_splits


@handles("st", "split_table")
def split_table(case):
    batch, below = case.params["batch"], 200
    # The lists do not come with the project; where they are, they count.
    lists = imported_splits() if CLONES.is_dir() else {}
    for i, name in enumerate(case["in_name"].tolist()):
        dataset, split = name.split("/", 1)
        split = split.replace("/split_", "_").replace("1.4k", "1464")
        labeled, unlabeled = int(case["out_L"][i]), int(case["out_U"][i])
        found = lists.get((dataset.replace("pascal", "voc"), split))
        assert (found is not None) == bool(lists and labeled), name
        for part, rows in (found or {}).items():
            text = "\n".join(as_published(dataset, *row) for row in rows)
            assert hashlib.sha256(text.encode()).hexdigest() == \
                case[f"out_sha256_{part}"][i], (name, part)
        if not labeled:
            continue
        reliable, unreliable = map(len, most_reliable(range(unlabeled)))
        first = labeled * repetitions(labeled, double_below=below)
        semi = labeled * repetitions(labeled, unlabeled) + unlabeled
        fourth = labeled * repetitions(labeled, reliable) + reliable
        for key, value in (
            ("stage1_ids", first), ("stage1_iters_b16", first // batch),
            ("semi_ids", semi), ("semi_iters_b16", semi // batch),
            ("reliable", reliable), ("unreliable", unreliable),
            ("stpp_stage4_ids", fourth),
            ("stpp_stage4_iters_b16", fourth // batch)):
            assert case[f"out_{key}"][i] == value, (name, key)
    case.mark(*(k for k in case.arrays if k.startswith("out_")))


def imported_splits():
    """What the importer makes of ST's lists: {(dataset, split): lists}."""
    found, clones = {}, fetch_splits.Clones(str(CLONES))
    with tempfile.TemporaryDirectory() as folder:
        for split in fetch_splits.choose(["st"]):
            fetch_splits.write(split, clones, folder, "")
            home = f"{folder}/{split.dataset}/st/{split.name}"
            found[split.dataset, split.name] = {
                part: split_lists.read_rows(f"{home}/{part}.txt",
                                            part == "labeled")
                for part in ("labeled", "unlabeled")}
    return found


def as_published(dataset, image, mask):
    """A row as a line of ST's lists, which name all masks."""
    if dataset == "pascal":
        mask = mask or image.replace("JPEGImages", "SegmentationClassAug"
                                     ).replace(".jpg", ".png")
        mask = mask.replace("ClassAug", "Class")
    mask = mask or image.replace("leftImg8bit/", "gtFine/").replace(
        "_leftImg8bit", "_gtFine_labelTrainIds")
    return f"{image} {mask}"

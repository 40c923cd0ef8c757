# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which images of a dataset are labelled: splits on disk, in one format.

    data/splits/<dataset>/<source>/<split>/labeled.txt    image<TAB>mask
                                          /unlabeled.txt  image
                                          /split.json     where it is from
    data/splits/<dataset>/<source>/val.txt                image<TAB>mask

Paths are relative to the dataset's folder in its official layout, with "/"
between folders. A split's folder may have a val.txt of its own, which wins.
"""

import contextlib
import itertools
import json
import os

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError, nearest
from contrib_semiseg.cvlibs.text_file import read_lines
from contrib_semiseg.datasets import base
from contrib_semiseg.datasets.list_dataset import output_name

FOLDER = "data/splits"  # from where the command runs, as data/voc is
NOTES = "split.json"
PARTS = ("labeled", "unlabeled", "val")
_SHOWN = 12  # splits that a message lists


def splits_in(folder):
    """Names of the splits below a folder, "<source>/<split>", sorted."""
    found = []
    for where, folders, files in os.walk(folder):
        folders.sort()
        if "labeled.txt" in files and where != folder:
            found.append(os.path.relpath(where, folder).replace(os.sep, "/"))
    return sorted(found)


def _suggestion(split, names):
    same_end = [n for n in names if n.rpartition("/")[2] == split]
    return f"; did you mean '{same_end[0]}'?" if same_end else \
        nearest(split, names)


def find_split(dataset, split, folder=FOLDER):
    """The folder of a split.

    Args:
        dataset (str): voc, cityscapes, coco, ... as in `folder`.
        split (str): "<source>/<split>", or a path of a folder.
        folder (str): of all splits.
    Raises: ArgumentError that says which splits there are.
    """
    home = os.path.join(folder, dataset)
    for path in (os.path.join(home, split), split):
        if os.path.isfile(os.path.join(path, "labeled.txt")):
            return os.path.normpath(path)
    names = splits_in(home)
    source = split.split("/")[0]
    shown = sorted(names, key=lambda n: (not n.startswith(f"{source}/"), n))
    listed = ", ".join(shown[:_SHOWN]) + (
        f", ... ({len(names)} in all)" if len(names) > _SHOWN else "")
    raise ArgumentError(
        "split", split, (f"{listed} of {home}" if names else
                         f"<source>/<split> of {home}, which has none yet")
        + ", or a folder with a labeled.txt; tools/fetch_splits.py brings "
        "the published splits, tools/make_splits.py makes new ones"
        + _suggestion(split, names))


def read_rows(path, masks):
    """Rows of one list: [(image, mask)], mask None in a list without.

    Args:
        path (str): of labeled.txt, unlabeled.txt or val.txt.
        masks (bool): each line names a mask behind a tab, or else none does.
    Raises: DataError naming file and line.
    """
    rows = []
    for number, line in read_lines(path):
        fields = [field.strip() for field in line.split("\t")]
        if fields == [""]:
            continue
        if len(fields) != 1 + masks:
            raise DataError(
                f"{path}: line {number} has {len(fields)} fields; allowed: "
                + ("image<TAB>mask" if masks else "one image, no mask"))
        for field in fields:
            if {"", ".", ".."} & set(field.split("/")):
                raise DataError(
                    f"{path}: line {number}: {field!r} is not allowed; "
                    "allowed: a path relative to the dataset's folder")
        rows.append((fields[0], fields[1] if masks else None))
    return rows


def read_split(folder):
    """All lists of a split: {part: (path, rows)}, without those not there.

    Args:
        folder (str): see `find_split`.
    Raises: DataError; also for images of two lists, see `check_apart`.
    """
    above = os.path.dirname(os.path.abspath(folder))
    paths = {part: os.path.join(folder, f"{part}.txt") for part in PARTS}
    if not os.path.isfile(paths["val"]):
        paths["val"] = os.path.relpath(os.path.join(above, "val.txt"))
    lists = {part: (path, read_rows(path, part != "unlabeled"))
             for part, path in paths.items() if os.path.isfile(path)}
    check_apart(lists, folder)
    return lists


def stated_overlaps(folder):
    """What split.json admits: {"labeled unlabeled": images in both}."""
    path = os.path.join(folder, NOTES)
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file).get("overlaps") or {})
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not the notes of a split ({error})"
                        ) from error


def overlaps(rows):
    """Images that two lists share: {"labeled unlabeled": sorted images}.

    Args:
        rows (dict): part -> [(image, mask)].
    """
    images = {part: {image for image, _ in found}
              for part, found in rows.items()}
    shared = {f"{a} {b}": sorted(images[a] & images[b])
              for a, b in itertools.combinations(PARTS, 2)
              if a in images and b in images}
    return {pair: found for pair, found in shared.items() if found}


def check_apart(lists, folder):
    """Refuse a split whose lists share images, unless its notes say so.

    Raises: DataError naming both lists, and how many and which images.
    """
    shared = overlaps({part: rows for part, (_, rows) in lists.items()})
    stated = stated_overlaps(folder) if shared else {}
    for pair, images in shared.items():
        if len(images) == stated.get(pair):
            continue
        first, second = (lists[part][0] for part in pair.split())
        raise DataError(
            f"{first} and {second} share {_some(images)}; take them out of "
            "one of the lists, or, if that is meant, say so in "
            f"{os.path.join(folder, NOTES)}: "
            f'{{"overlaps": {{"{pair}": {len(images)}}}}}')


def _some(names, count=3):
    shown = ", ".join(names[:count]) + (", ..." if len(names) > count else "")
    return f"{len(names)} image{'s' * (len(names) > 1)} ({shown})"


def dataset_rows(*, dataset, split, role, root, place=None, hint="",
                 folder=FOLDER):
    """The files of a dataset that a split gives to a role.

    Args:
        dataset, split, folder (str): see `find_split`.
        role (str): labeled, unlabeled or val.
        root (str): the dataset's folder.
        place (callable, optional): where a listed path lies below `root`;
            None: there.
        hint (str): what to do where files are missing.

    Returns: list of base.Row; mask is None for "unlabeled".
    Raises: ArgumentError for an unknown split; DataError naming the list, if
        it is missing or empty, if two lists share images, or if files are
        missing.
    """
    where = find_split(dataset, split, folder)
    lists = read_split(where)
    key = f"{base.SECTIONS[role]}.split = {split}"
    if role not in lists or not lists[role][1]:
        says = "is empty" if role in lists else "is missing"
        raise DataError(f"{key}: {role}.txt of {where} {says}; allowed: a "
                        f"split with {role} images")
    path, listed = lists[role]
    place = place or (lambda name: name)
    rows = [base.Row(os.path.join(root, place(image)),
                     None if mask is None else os.path.join(root, place(mask)),
                     output_name(image)) for image, mask in listed]
    if base.checks_files():
        _check_fit(rows, root, f"{key} ({path})", hint)
    return rows


def _check_fit(rows, root, key, hint):
    """Refuse rows whose files are not below `root`."""
    for what, paths in (("images", [row.image for row in rows]),
                        ("masks", [row.mask for row in rows if row.mask])):
        missing = base.missing_files(paths)
        if missing:
            shown = ", ".join(os.path.relpath(path, root)
                              for path in missing[:3])
            raise DataError(
                f"{key} does not fit {root}: {len(missing)} of {len(paths)} "
                f"{what} are missing: {shown}"
                + (", ..." if len(missing) > 3 else "")
                + (f"; {hint}" if hint else ""))


def write_split(folder, lists, notes, val=()):
    """Write the lists of a split and how it came to be.

    Each file is put in place whole, and one that is right is left alone.

    Args:
        folder (str): made if needed.
        lists (dict): part -> [(image, mask)]; the masks of "unlabeled" are
            left out. A part that is None is removed.
        notes (dict): for split.json, with the numbers of images.
        val (list): rows of a val.txt that is not the split's own.

    Returns: bool, whether anything changed.
    """
    rows = {part: found for part, found in lists.items() if found is not None}
    shared = overlaps({"val": val, **rows})
    notes = {**notes, "images": {part: len(found) for part, found
                                 in rows.items()},
             "overlaps": {pair: len(found) for pair, found in shared.items()}}
    changed = False
    for part, found in lists.items():
        path = os.path.join(folder, f"{part}.txt")
        if found is None and os.path.exists(path):
            os.remove(path)
            changed = True
        elif found is not None:
            changed |= write_whole(path, "".join(
                (image if part == "unlabeled" else f"{image}\t{mask}") + "\n"
                for image, mask in found))
    return write_whole(os.path.join(folder, NOTES),
                       json.dumps(notes, indent=1) + "\n") or changed


def write_whole(path, text):
    """Put a text in place at once; returns whether it was not there yet."""
    with contextlib.suppress(OSError, UnicodeDecodeError), open(
            path, encoding="utf-8", newline="") as file:
        if file.read() == text:
            return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)
    return True

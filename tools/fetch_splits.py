# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Bring the published splits to data/splits, in one format.

    python tools/fetch_splits.py                       all of them
    python tools/fetch_splits.py voc/unimatch cps      some of them
    python tools/fetch_splits.py --from ~/clones       no download

docs/splits.md says which there are. Every file is compared with the digest of
the commit that is named in contrib_semiseg/datasets/published_splits.py.
"""

import functools
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contrib_semiseg import environment  # noqa: E402

environment.prepare()

from contrib_semiseg.cvlibs import cache, cli, download  # noqa: E402
from contrib_semiseg.cvlibs.errors import (  # noqa: E402
    ArgumentError,
    DataError,
    nearest,
)
from contrib_semiseg.datasets import (  # noqa: E402
    published_splits as table,
)
from contrib_semiseg.datasets import split_lists  # noqa: E402

DIGESTS = Path(__file__).with_name("published_splits.sha256")


@functools.cache
def digests():
    """SHA-256 of each list: {"owner_repository/path": digest}."""
    lines = DIGESTS.read_text(encoding="utf-8").splitlines()
    return {path: digest for digest, path in
            (line.split("  ", 1) for line in lines)}


def digest_of(source, path):
    return digests()[f"{table.SOURCES[source].folders[0]}/{path}"]


class Clones:
    """Files of the repositories' clones below a folder.

    Args:
        folder (str): holds owner_repository/ or repository/.
    """

    def __init__(self, folder):
        if not os.path.isdir(folder):
            raise ArgumentError("--from", folder, "a folder of clones")
        self.folder = folder

    def read(self, source, path):
        """Lines of a file that are not blank; see `lines_of`."""
        origin = table.SOURCES[source]
        clones = [p for name in origin.folders if
                  os.path.isdir(p := os.path.join(self.folder, name))]
        if not clones:
            raise DataError(f"--from {self.folder}: there is no folder "
                            f"{' or '.join(origin.folders)}; allowed: clones "
                            f"of https://github.com/{origin.repository}")
        file = os.path.join(clones[0], *path.split("/"))
        if not os.path.isfile(file):
            raise DataError(f"{file}: the list is missing; in {clones[0]}: "
                            f"git checkout {origin.commit}")
        found = download.sha256_of(file)
        if found != digest_of(source, path):
            raise DataError(f"{file} is not that of {origin.repository} at "
                            f"{origin.commit}: its SHA-256 is {found}, "
                            f"expected {digest_of(source, path)}")
        return lines_of(file)


class Downloads:
    """The same files from GitHub, kept in the project's cache folder."""

    def read(self, source, path):
        origin = table.SOURCES[source]
        folder = cache.home() / "splits" / origin.folders[0] / \
            os.path.dirname(path)
        return lines_of(download.fetch(origin.url(path), folder,
                                       sha256=digest_of(source, path)))


def lines_of(file):
    text = Path(file).read_text(encoding="utf-8-sig")
    return [line for line in text.splitlines() if line.strip()]


def choose(names):
    """Splits that the command line names: dataset, source, or both.

    Raises: ArgumentError for a name that is neither.
    """
    splits = table.published()
    allowed = sorted({n for s in splits for n in (
        s.dataset, s.source, f"{s.dataset}/{s.source}")})
    for name in names:
        if name not in allowed:
            raise ArgumentError("names", name, ", ".join(allowed) +
                                nearest(name, allowed))
    return [s for s in splits if not names or {
        s.dataset, s.source, f"{s.dataset}/{s.source}"} & set(names)]


def rest_of(folder, labeled):
    """Pictures below a folder's parent that are not labelled, sorted."""
    known = {image for image, _ in labeled}
    part = os.path.basename(folder)
    found = (f"{part}/{name}" for name in os.listdir(folder)
             if name.endswith(".jpg"))
    return [(image, None) for image in sorted(set(found) - known)]


def write(split, files, target, coco_root):
    """Write one split; returns what there is to say of it.

    Args:
        split (Published): which.
        files (Clones or Downloads): where its lists are read.
        target (str): the folder of all splits.
        coco_root (str): its pictures, where no list names the unlabelled.
    """
    def rows(path, source=split.source):
        return [table.official(split.dataset, line)
                for line in files.read(source, path)]

    home = os.path.join(target, split.dataset, split.source)
    labeled = rows(split.labeled)
    unlabeled = [row for path in split.unlabeled for row in rows(path)]
    if len(split.unlabeled) > 1:
        unlabeled.sort()
    note = "" if unlabeled else ", all images have masks"
    if split.rest:
        folder = os.path.join(coco_root, split.rest)
        if os.path.isdir(folder):
            unlabeled, note = rest_of(folder, labeled), ""
        else:
            note = (f", unlabeled.txt needs {folder}: run this again when "
                    "it is there")
    val = table.VAL_OF.get((split.dataset, split.source),
                           (split.dataset, split.source))
    changed = split_lists.write_whole(
        os.path.join(home, "val.txt"), "".join(
            f"{image}\t{mask}\n" for image, mask in rows(table.VAL[val],
                                                         val[1])))
    origin = table.SOURCES[split.source]
    changed |= split_lists.write_split(
        os.path.join(home, split.name),
        {"labeled": labeled, "unlabeled": unlabeled or None},
        {"made_by": "tools/fetch_splits.py", "repository": origin.repository,
         "commit": origin.commit, "files": {
             path: digest_of(split.source, path)
             for path in (split.labeled, *split.unlabeled)}},
        val=rows(table.VAL[val], val[1]))
    return (f"{home}/{split.name}: {len(labeled)} labeled, {len(unlabeled)} "
            f"unlabeled{note} ({'written' if changed else 'unchanged'})")


def main(argv=None):
    parser = cli.Parser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="a dataset (voc), a source "
        "(unimatch) or both (voc/unimatch); default: all")
    add("--from", dest="clones", metavar="DIR", help="a folder of clones of "
        "the repositories; default: download the lists alone")
    add("--coco_root", default="data/coco", metavar="DIR", help="where "
        "train2017 is: all of it that is not labelled is unlabelled "
        "(default: data/coco)")
    add("--save_dir", default=split_lists.FOLDER, metavar="DIR",
        help=f"(default: {split_lists.FOLDER})")
    args = parser.parse_args(argv)
    chosen = choose(args.names)
    files = Clones(args.clones) if args.clones else Downloads()
    for split in chosen:
        print(write(split, files, args.save_dir, args.coco_root), flush=True)
    return 0


if __name__ == "__main__":
    cli.run(main)

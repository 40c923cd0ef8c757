# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What the preparation tools share: options, and putting files into place."""

import importlib
import os
from typing import NamedTuple

from contrib_semiseg.cvlibs import cli
from contrib_semiseg.cvlibs.errors import ArgumentError, UserError
from contrib_semiseg.preparation import record, results, work


class Target(NamedTuple):
    """Where and how the result is made.

    Args:
        root (str): the dataset's folder.
        workers (int): processes; 0: this one alone.
        partial (bool): fewer images than the dataset has will do.
        overwrite (bool): make every file again.
    """

    root: str
    workers: int = 0
    partial: bool = False
    overwrite: bool = False

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def lacks(self, path, size=None):
        """Whether a file of the result has still to be made."""
        return self.overwrite or not results.is_whole(path, size)

    def finish(self, lists, **options):
        record.finish(self.root, lists, workers=self.workers,
                      partial=self.partial, overwrite=self.overwrite,
                      **options)


def parser(description, save_dir, downloads):
    """A parser with the options that all preparation tools have.

    Args:
        description (str): what the tool does.
        save_dir (str): where it puts the dataset by default.
        downloads (str): what the user has downloaded, in words.
    """
    made = cli.Parser(description=description)
    made.add_argument("--from", dest="places", nargs="+", metavar="PATH",
                      default=["data/downloads"],
                      help=f"{downloads}: the files, unpacked or not, or the "
                      "folder they lie in (default: data/downloads)")
    made.add_argument("--save_dir", default=save_dir, metavar="DIR",
                      help="folder of the dataset (default: %(default)s)")
    made.add_argument("--num_workers", type=int, metavar="N",
                      default=work.default_workers(),
                      help="processes; 0: a single one (default: "
                      "%(default)s)")
    cli.add_switch(made, "--partial", "accept fewer images than the whole "
                   "dataset has")
    cli.add_switch(made, "--overwrite", "make every file again, and forget "
                   "the digest of an earlier run")
    return made


def target(args):
    """The Target that the options ask for."""
    if args.num_workers < 0:
        raise ArgumentError("--num_workers", args.num_workers, "0 or more")
    return Target(args.save_dir, args.num_workers, bool(args.partial),
                  bool(args.overwrite))


def need_package(name, why):
    """Import a package of requirements-prepare.txt.

    Raises: UserError, if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"the package {name} is needed {why}; pip install -r "
                        "requirements-prepare.txt") from None


def put(path, file):
    """Put a source's file into place as it is; nothing if it is there."""
    if file.path:
        results.put_file(path, file.path)
    else:
        results.put_bytes(path, file.read())


def put_all(made, found, what):
    """Put images of a source into place, those that are not there yet.

    Args:
        made (Target): where.
        found (iterable of (path, File)): each with its place.
        what (str): for the progress.

    Returns: set of str, the places.
    """
    # A process would only pass the bytes on: the disk is what takes time.
    places = set()
    with work.Progress(what) as progress:
        for path, file in found:
            if made.lacks(path, file.size):
                put(path, file)
            places.add(path)
            progress.add()
    return places

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Write a network's masks of many images, so that training can read them.

    FOLDER/masks/NAME.png   class indices with the dataset's colours
    FOLDER/labels.csv       image, mask, confidence, labeled, crc32

Images are shared out to the processes. A mask is written before its line, so
a run that was killed goes on with the image that it had in hand.
"""

import csv
import dataclasses
import io
import os
import zlib
from pathlib import Path

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import console, distributed, pictures, predictor
from contrib_semiseg.engine.checkpoint import write_file
from contrib_semiseg.engine.evaluator import progress, read_ahead
from contrib_semiseg.engine.inference import confidence

LABELS = "labels.csv"
_BLACK = (0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Label:
    """A line of labels.csv.

    Attributes:
        image (str): name of the image in its dataset.
        mask (str): file of the mask, relative to the folder.
        confidence (float): mean over the pixels of the largest probability.
        labeled (float): share of the pixels that are not ignored.
        crc32 (str): checksum of the mask's pixels.
    """

    image: str
    mask: str
    confidence: float
    labeled: float
    crc32: str

    @property
    def row(self):
        return [self.image, self.mask, f"{self.confidence:.6f}",
                f"{self.labeled:.6f}", self.crc32]

    @classmethod
    def of(cls, row):
        return cls(row[0], row[1], float(row[2]), float(row[3]), row[4])


class Lines:
    """A CSV file that grows line by line and survives a kill.

    Each process appends to a part of its own; `finish` puts the parts
    together in one file, written whole.

    Args:
        path (str or Path): the file in the end.
        header (sequence of str): its columns; the first is the key.
    """

    def __init__(self, path, header):
        self.path, self.header = Path(path), list(header)
        self._pattern = f".{self.path.name}.*.part"
        self._begun = False

    def read(self):
        """Complete lines so far: {key: row}."""
        found = {}
        parts = [self.path] if self.path.is_file() else []
        for part in [*parts, *sorted(self.path.parent.glob(self._pattern))]:
            text = _whole(part.read_text(encoding="utf-8"))
            for row in csv.reader(io.StringIO(text)):
                if len(row) == len(self.header) and row != self.header:
                    found[row[0]] = row
        return found

    def append(self, row):
        """Add a line and hand it to the system."""
        part = self.path.with_name(self._pattern.replace(
            "*", str(distributed.rank())))
        if not self._begun:
            part.parent.mkdir(parents=True, exist_ok=True)
            if part.is_file():  # what a kill left of a line goes
                write_file(part, _whole(part.read_text("utf-8")).encode())
            self._begun = True
        with open(part, "a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(row)

    def finish(self, keys):
        """Write the whole file from process 0: a line for each of `keys`.

        Raises: KeyError for a key without a line.
        """
        distributed.fence()
        found = self.read()
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(found[key] for key in keys)
        distributed.fence()
        if distributed.rank() == 0:
            write_file(self.path, buffer.getvalue().encode())
            for part in self.path.parent.glob(self._pattern):
                part.unlink()
        distributed.fence()


def _whole(text):
    """The lines that end."""
    return text[:text.rfind("\n") + 1]


def read_labels(folder):
    """The lines of a folder's labels.csv: list of Label.

    Raises: DataError if it is missing or damaged.
    """
    path = Path(folder) / LABELS
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        return [Label.of(row) for row in rows[1:]]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise DataError(f"{path}: no list of labels ({error}); remove the "
                        "folder to have it made again") from error


def share_out(images, done, read, *, title, workers=1):
    """The pictures that are left for this process, one after the other.

    All processes have to find the same ones done: none gets its first
    picture, which it will soon have done, before all have looked.

    Args:
        images (list): (path, name) of each.
        done (collection of str): names that are not needed again.
        read (callable): path to uint8 [H, W, 3]; DataError if it cannot.
        title (str): of the progress bar.
        workers (int): threads that read.

    Yields: (index in images, picture or the DataError).
    """
    if done:
        console.say(f"{title}: {len(done)} of {len(images)} images are done "
                    "already")
    distributed.fence()
    left = [i for i, (_, name) in enumerate(images) if name not in done]
    own = left[distributed.rank()::distributed.world()]

    def load(i):
        try:
            return i, read(images[i][0])
        except DataError as error:
            return i, error

    yield from progress(read_ahead(load, own, workers), len(own), title)


def mask_of(inferencer, image, *, min_confidence=0.0, ignore_index=255):
    """The pseudo-label of an image.

    Args:
        inferencer (Inferencer): one that sums probabilities.
        image (ndarray): uint8 [H, W, 3], RGB.
        min_confidence (float): pixels below it are ignored.

    Returns: (uint8 [H, W], float32 [H, W]): classes, `ignore_index` where
        ignored; and the confidence.
    """
    classes, scores = inferencer(image)
    sure = confidence(scores)
    if min_confidence > 0:
        classes = np.where(sure >= min_confidence, classes,
                           ignore_index).astype(classes.dtype)
    return classes, sure


def write_labels(inferencer, images, *, read, folder, palette=None,
                 ignore_index=255, min_confidence=0.0, workers=1,
                 skip_broken=False):
    """Label images and write masks and their list.

    Args:
        inferencer (Inferencer): one that sums probabilities.
        images (list): (path, name) of each; a name once.
        read (callable): path to uint8 [H, W, 3]; DataError if it cannot.
        folder (str or Path): see the module.
        palette (ndarray, optional): uint8 [C, 3], RGB; default VOC's.
        ignore_index, min_confidence: see `mask_of`.
        workers (int): threads that read.
        skip_broken (bool): pass over pictures that cannot be read instead
            of ending with the error.

    Returns: (list of Label of all images that could be read, in their order;
        list of paths that could not be).
    """
    folder = Path(folder)
    lines = Lines(folder / LABELS, [f.name for f in
                                    dataclasses.fields(Label)])
    masks = mask_names([name for _, name in images])
    done = {name for name, row in lines.read().items()
            if (folder / row[1]).is_file()}
    colors = pictures.full_palette(256, palette, rest=_BLACK)
    broken = []
    for i, image in share_out(images, done, read, title="labelling",
                              workers=workers):
        path, name = images[i]
        if isinstance(image, DataError):
            if not skip_broken:
                raise image
            broken.append(path)
            console.say(f"passed over: {image}")
            continue
        classes, sure = mask_of(inferencer, image,
                                min_confidence=min_confidence,
                                ignore_index=ignore_index)
        predictor.write(str(folder / masks[i]),
                        predictor.index_png(classes, colors))
        lines.append(Label(
            name, masks[i], float(sure.mean(dtype=np.float64)),
            float((classes != ignore_index).mean()),
            f"{zlib.crc32(classes.tobytes()):08x}").row)
    broken = distributed.gather_lists(broken)
    lines.finish([name for path, name in images if path not in broken])
    return read_labels(folder), broken


def mask_names(names):
    """Where the masks of images go, relative to the folder."""
    return [f"masks/{name}.png" for name in predictor.output_names(names)]


def labels_list(labels, images, folder, root):
    """Text of a list file: "image<TAB>mask", relative to a root.

    Args:
        labels (list of Label): of `images`.
        images (list): (path, name) of each.
        folder (str or Path): of the masks.
        root (str or Path): what the paths are relative to.
    """
    paths = {name: path for path, name in images}
    return "".join(
        f"{os.path.relpath(paths[row.image], root)}\t"
        f"{os.path.relpath(Path(folder) / row.mask, root)}\n"
        for row in labels)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What every dataset is: rows of files, reading with checks, items."""

import contextlib
import copy
import os
import zlib
from typing import NamedTuple, Optional

import numpy as np

from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError, DataError
from contrib_semiseg.datasets.palettes import named_palette
from contrib_semiseg.datasets.reading import (
    mask_histogram,
    open_image,
    read_image,
    read_mask,
)
from contrib_semiseg.transforms import pipeline

SECTIONS = {
    "labeled": "train_dataset",
    "unlabeled": "unlabeled_dataset",
    "val": "val_dataset"
}
# Transforms that would move what the crops say of a view.
_MOVES = ("RandomMirror", "RandomHorizontalFlip", "RandomVerticalFlip",
          "RandomRotation")


class Row(NamedTuple):
    """An image file, its mask (None: not there) and the name for outputs."""

    image: str
    mask: Optional[str]
    name: str


def missing_files(paths):
    """Those of `paths` that are missing, in order; lists each folder once."""
    folders, missing = {}, []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            try:
                folders[folder] = set(os.listdir(folder or "."))
            except OSError:
                folders[folder] = set()
        if name not in folders[folder]:
            missing.append(path)
    return missing


_check_files = True


@contextlib.contextmanager
def without_file_check():
    """Inside, datasets are built though files are missing (to list them)."""
    global _check_files
    _check_files = False
    try:
        yield
    finally:
        _check_files = True


def checks_files():
    """Whether datasets are to refuse missing files."""
    return _check_files


class SegDataset:
    """Images with masks ("labeled", "val") or without ("unlabeled").

    Args:
        rows (list of Row): the files; checked to be there.
        where (str): key and value for messages, "dataset_root = ...".
        transforms (list): built transforms of `item`.
        role (str): labeled, unlabeled or val. "unlabeled" never opens a mask.
        num_classes, ignore_index (int): mask values allowed are
            0..num_classes - 1 and ignore_index.
        class_names (list of str, optional): one per class.
        palette (optional): RGB per class, [num_classes][3].
        views (dict, optional): name -> built transforms of that view, for
            "unlabeled" alone. Each works on a copy of what `transforms`
            leave and draws from a generator of its own.
        crops (optional): built crops, which give each view a window of its
            own of what `transforms` leave, and say where it lies.
        masks (dict, optional): name -> built mask type, drawn for each item.
        same_image_mix (bool): for the engine: the second unlabelled batch
            shows the images of the first.
        joint_order (bool): for the engine: all streams share one order.
        list_resampling (bool): for the engine: each list is drawn to the
            length of the unlabelled one once, see `training_streams`.

    Raises: DataError, if there are no rows or files are missing; ConfigError
        or ArgumentError for views or transforms that cannot work.
    """

    image_range, upright = None, True  # how it reads, see `read_image`

    def __init__(self, *, rows, where, transforms, role, num_classes,
                 ignore_index=255, class_names=None, palette=None, views=None,
                 crops=None, masks=None, same_image_mix=False,
                 joint_order=False, list_resampling=False):
        self.role, self.transforms = role, list(transforms or [])
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.class_names = list(class_names or
                                (f"class {i}" for i in range(num_classes)))
        self.palette = None if palette is None else np.asarray(
            palette, np.uint8).reshape(-1, 3)
        self.views, self.masks = dict(views or {}), dict(masks or {})
        self.crops = crops
        self.same_image_mix, self.joint_order = same_image_mix, joint_order
        self.list_resampling = list_resampling
        if joint_order and list_resampling:
            raise ArgumentError("list_resampling", True,
                                "false where joint_order is true")
        self.truth = {}  # of unlabelled images, see `truth.with_truth`
        if role == "unlabeled":
            self.truth = {row.image: row.mask for row in rows if row.mask}
            rows = [row._replace(mask=None) for row in rows]
        self.rows = rows
        self._section = SECTIONS[role]
        self._check_views()
        self._check_rows(where)
        self._written = False  # see `with_masks`
        self._foreign = np.ones(256, dtype=bool)
        self._foreign[:num_classes] = False
        self._foreign[ignore_index] = False

    def _check_views(self):
        if self.views and self.role != "unlabeled":
            raise ArgumentError("views", list(self.views), "null; only "
                                "unlabeled_dataset has views")
        taken = {"label", "valid", *self.masks} & set(self.views)
        if taken:
            raise ArgumentError("views", list(self.views), "names other than "
                                f"{', '.join(sorted(taken))}")
        pipeline.check_order(self.transforms, f"{self._section}.transforms")
        where = f"{self._section}.views"
        normalises = {name: pipeline.check_order([*self.transforms, *ops],
                                                 f"{where}.{name}")
                      for name, ops in self.views.items()}
        raw = [name for name, does in normalises.items() if not does]
        if 0 < len(raw) < len(normalises):
            raise ConfigError(f"{where}.{raw[0]} lacks Normalize, which other "
                              "views have; allowed: all of them or none")
        if self.crops is not None:
            self._check_crops()

    def _check_crops(self):
        if self.role != "unlabeled":
            raise ArgumentError("crops", type(self.crops).__name__, "null; "
                                "only unlabeled_dataset has crops")
        if len(self.views) != self.crops.count:
            raise ArgumentError("views", list(self.views) or None,
                                f"{self.crops.count} views, as there are "
                                "crops")
        for op in self.transforms:
            name = type(op).__name__
            if name == "Normalize" or "valid" in getattr(op, "adds", ()):
                raise ConfigError(
                    f"{self._section}.crops: {name} stands before the crops, "
                    "which pad pictures of 0..255 themselves; allowed: "
                    + ("in the views" if name == "Normalize" else
                       "transforms that do not pad"))
        for view, ops in self.views.items():
            moving = [n for op in ops if (n := type(op).__name__) in _MOVES]
            if moving:
                raise ConfigError(
                    f"{self._section}.views.{view}: {moving[0]} moves what "
                    "the crops say of it; allowed: in transforms, or "
                    "crops.mirror_prob")

    def _check_rows(self, where):
        where = f"{self._section}.{where}"
        if not self.rows:
            raise DataError(f"{where}: 0 images; allowed: 1 or more")
        if not _check_files:
            return
        kinds = [("images", [row.image for row in self.rows])]
        if self.role != "unlabeled":
            bare = [row.image for row in self.rows if row.mask is None]
            if bare:
                raise DataError(f"{where}: {len(bare)} of {len(self.rows)} "
                                f"images have no mask, first: {bare[0]}")
            kinds.append(("masks", [row.mask for row in self.rows]))
        for what, paths in kinds:
            missing = missing_files(paths)
            if missing:
                raise DataError(f"{where}: {len(missing)} of {len(paths)} "
                                f"{what} are missing, first: {missing[0]}")

    @classmethod
    def configured_palette(cls, section):
        """The colours that a section of a configuration means, or None."""
        return named_palette(section.get("palette",
                                         getattr(cls, "PALETTE", None)))

    @classmethod
    def configured_names(cls, section):
        """The class names that a section means, or None."""
        return section.get("class_names") or getattr(cls, "CLASS_NAMES", None)

    def with_masks(self, masks):
        """A copy that has masks, and only the images of those.

        Args:
            masks (dict): name of an image -> path of its mask, which holds
                classes as this project writes them, whatever the dataset's
                own masks hold.
        Raises: DataError for a name that no image has; ConfigError if the
            images have views.
        """
        if self.views:
            raise ConfigError(f"{self._section}.views: images that are read "
                              "with a mask have none; put the operations into "
                              f"{self._section}.transforms")
        unknown = sorted(set(masks) - {row.name for row in self.rows})
        if unknown:
            raise DataError(f"{self._section}: {len(unknown)} images with "
                            "pseudo-labels are not in it, first: "
                            f"{unknown[0]}")
        other = copy.copy(self)
        other.rows = [row._replace(mask=masks[row.name]) for row in self.rows
                      if row.name in masks]
        other._written = True
        return other

    def __len__(self):
        return len(self.rows)

    def name(self, index):
        """Relative path of an image, for outputs."""
        return self.rows[index].name

    def image_path(self, index):
        return self.rows[index].image

    def read(self, index):
        """Read an image and its mask as they are.

        Returns: (uint8 [H, W, 3] RGB, uint8 [H, W] or None)
        Raises: DataError naming the file and what is allowed.
        """
        row = self.rows[index]
        image = self.read_image(row.image)
        if row.mask is None:
            return image, None
        mask = read_mask(row.mask) if self._written else \
            self.read_mask(row.mask)
        foreign = self._foreign[mask]
        values = np.unique(mask[foreign]) if foreign.any() else ()
        for problem in self.mask_problems(row, image.shape[1::-1],
                                          mask.shape[::-1], values):
            raise DataError(problem)
        return image, mask

    def read_image(self, path):
        """One of its images: uint8 [H, W, 3] RGB. Raises: DataError."""
        return read_image(path)

    def read_mask(self, path):
        """One of its masks, as classes: uint8 [H, W]. Raises: DataError."""
        return self.decode(read_mask(path))

    def mask_histogram(self, path):
        """What `read_mask` gives, counted.

        Returns: ((width, height), int64 [256]): pixels of each class.
        Raises: DataError.
        """
        size, stored = mask_histogram(path)
        classes = self.decode(np.arange(256, dtype=np.uint8)[None])[0]
        counts = np.zeros(256, np.int64)
        np.add.at(counts, classes, stored)
        return size, counts

    def decode(self, mask):
        """A mask as stored, uint8 [H, W], as classes; here they are.

        A pixel's class is a function of its value alone.
        """
        return mask

    def mask_problems(self, row, size, mask_size, values):
        """Say what is wrong with a mask.

        Args:
            row (Row): its files.
            size (tuple): (width, height) of its image; None if not known.
            mask_size (tuple): of the mask.
            values (sequence of int): of its classes, those that are none.
        Yields: str, one line each.
        """
        if size is not None and tuple(size) != tuple(mask_size):
            yield (f"{row.mask}: the mask is {mask_size[0]} x {mask_size[1]} "
                   f"(w x h), its image {row.image} is {size[0]} x {size[1]}"
                   f"{_turned(row.image, mask_size)}; allowed: the same size")
        if len(values):
            listed = ", ".join(str(v) for v in values[:8]) + (
                ", ..." if len(values) > 8 else "")
            yield (f"{row.mask}: the mask holds {listed}; allowed: 0.."
                   f"{self.num_classes - 1} and {self.ignore_index} (ignored)")

    def foreign(self, counts):
        """The values of a histogram, int64 [256], that are no classes."""
        return np.flatnonzero((counts > 0) & self._foreign)

    def inspect(self, index, size=None):
        """Find everything that is wrong with one image and its mask.

        Args:
            index (int): the image.
            size (tuple, optional): (width, height) of an image that is known
                to be right; null: it is read.
        Returns: (problems, counts): list of str, and pixels of each mask
            value, int64 [256], or None without a readable mask.
        """
        row, problems = self.rows[index], []
        try:
            size = size or self.read_image(row.image).shape[1::-1]
        except DataError as error:
            problems.append(str(error))
        if self.role == "unlabeled":
            return problems, None
        if row.mask is None:
            return [*problems, f"{row.image}: the image has no mask"], None
        try:
            mask_size, counts = self.mask_histogram(row.mask)
        except DataError as error:
            return [*problems, str(error)], None
        return [*problems, *self.mask_problems(
            row, size, mask_size, self.foreign(counts))], counts

    def item(self, index, rng, masks=True, views=None):
        """Read and transform one image with the draws of `rng`.

        Args:
            index (int): the image.
            rng (np.random.Generator): of this item alone.
            masks (bool): draw `self.masks` too.
            views (collection of str, optional): those of `self.views` that
                are wanted; leaving some out changes nothing else. None: all.
        Returns: dict of arrays: img, or instead each view, float32 [3, H, W]
            (a strided view of memory, not contiguous), label int64 [H, W] if
            there are masks, valid bool [H, W] if a transform pads, the drawn
            `masks`, and what `crops` say of each view, as VIEW_overlap.
        Raises: ConfigError, if a view moves pixels.
        """
        image, label = self.read(index)
        data = {"img": image, "trans_info": [], "gt_fields": [], "rng": rng}
        if label is not None:
            data.update(label=label, gt_fields=["label"])
        data = pipeline.run(self.transforms, data)
        image = data["img"]
        if self.views:
            images, out = self._windows(image, rng)
            image = next(iter(images.values()))
            out.update(self._views(images, int(rng.integers(2**63)), views))
        else:
            out = {"img": _to_chw(image)}
        if label is not None:
            out["label"] = data["label"].astype(np.int64)
        if "valid" in data:
            out["valid"] = data["valid"] == 1
        for name, draw in self.masks.items() if masks else ():
            out[name] = draw(rng, *image.shape[:2])
        return out

    def _windows(self, image, rng):
        """What each view shows, by name, and what the crops say of it."""
        if self.crops is None:
            return dict.fromkeys(self.views, image), {}
        size = image.shape[:2]
        pair = self.crops.draw(rng, *size)
        places = zip(self.views, self.crops.geometry(pair, *size))
        return dict(zip(self.views, self.crops.apply(image, pair))), {
            f"{name}_{key}": value for name, place in places
            for key, value in place.items()}

    def _views(self, images, seed, wanted):
        """The views of images [H, W, 3] by name: name -> float32 [3, H, W].

        A view's draws are a function of `seed` and its name.
        """
        out = {}
        for name, ops in self.views.items():
            if wanted is not None and name not in wanted:
                continue
            image = images[name]
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            view = pipeline.run(ops, {"img": image.copy(), "trans_info": [],
                                      "gt_fields": [], "rng": rng})["img"]
            if view.shape != image.shape:
                raise ConfigError(
                    f"{self._section}.views.{name} makes {view.shape[1]} x "
                    f"{view.shape[0]} (w x h) of {image.shape[1]} x "
                    f"{image.shape[0]}; put what moves pixels into "
                    f"{self._section}.transforms")
            out[name] = _to_chw(view)
        return out


def _turned(path, mask_size):
    """Whether a mask has the size of an image before its EXIF turned it."""
    opened = open_image(path)
    if opened.size(False) == opened.size() or \
            opened.size(False) != tuple(mask_size):
        return ""
    return (" when its EXIF tag has turned it upright (a FolderDataset leaves "
            "it as stored with exif_rotation: false)")


def _to_chw(image):
    return image.astype(np.float32, copy=False).transpose(2, 0, 1)

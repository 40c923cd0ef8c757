# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The user's own folders: images, and masks for some of them."""

import os

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.datasets import folder_files as files
from contrib_semiseg.datasets import split_lists
from contrib_semiseg.datasets.base import SECTIONS, Row, SegDataset
from contrib_semiseg.datasets.list_dataset import (
    PALETTE,
    check_names,
    check_root,
    find_list,
    output_name,
    read_list,
    with_split,
)
from contrib_semiseg.datasets.mask_tables import ColorTable, ValueTable
from contrib_semiseg.datasets.palettes import named_palette
from contrib_semiseg.datasets.reading import FULL_RANGE, read_image

_BYTE = check.Range(0, 255, integer=True)
_DEEP = check.Range(*FULL_RANGE, integer=True)
MASK_COLORS = check.Either(
    check.OneOf("palette"),
    check.MapOf(check.COLOR, "colours by class, {name: [r, g, b]}",
                optional=True))


def color_table(mask_colors, class_names, palette):
    """Names and colours of the classes in their order.

    Args:
        mask_colors (dict, str or None): {name: RGB}, "palette" or null.
        class_names (list of str, optional): state the order.
        palette (optional): RGB per class.
    Returns: (class_names, colours or None)
    """
    if mask_colors == "palette":
        if palette is None:
            raise ArgumentError("mask_colors", mask_colors,
                                "{name: [r, g, b]}, or palette beside a "
                                "palette")
        return class_names, palette
    if mask_colors is None:
        return class_names, None
    names = list(class_names or mask_colors)
    if sorted(names) != sorted(mask_colors):
        other = sorted(set(names) ^ set(mask_colors))
        raise ArgumentError("mask_colors", list(mask_colors), "the class_names"
                            f", each once; not in both: {', '.join(other)}")
    return names, [mask_colors[name] for name in names]


@manager.register(manager.DATASETS)
class FolderDataset(SegDataset):
    """A folder of images, and a folder of masks for some of them.

    A mask has its image's path and name: masks/x/a.png for images/x/a.JPG.
    Images with a mask are labelled; the others are what an unlabelled
    section sees in the same folder.

    Args:
        dataset_root (str): the folder that paths are relative to.
        image_dir (str): the folder of images, with its sub-folders.
        mask_dir (str, optional): the folder of masks. Unlabelled sections
            that state it leave out the images with a mask.
        mask_suffix (str): what a mask's name has after the image's: _mask.
        list_file (str, optional): the images, one a line, in place of the
            whole folder: "image" or "image<TAB>mask", relative to image_dir
            or dataset_root. All of them count, with a mask or without.
        split (str, optional): stated at the top: list_file's "{split}", or
            without a list_file "<source>/<split>" of tools/make_splits.py,
            below data/splits/<name of the dataset_root>, or a folder of such
            lists. They then say which images a section has.
        val_split (float or str, optional): stated at the top. A fraction of
            the labelled images, or a list of them: those are the validation
            section's, and no other section has them.
        val_seed (int): stated at the top; another fraction of the same size.
        mask_values (list of int, optional): the number of each class in the
            masks; null: 0 .. num_classes - 1.
        ignore_values (list of int, optional): further numbers that do not
            count, besides ignore_index.
        mask_colors (dict or str, optional): for masks of colours, {class
            name: [r, g, b]}; "palette": they have the colours of `palette`.
        ignore_colors (list, optional): colours that do not count, RGB.
        image_range (list of int, optional): the values of a 16-bit image
            that become 0 and 255; null: [0, 65535].
        exif_rotation (bool): turn images (and masks that have a tag of their
            own) upright by their EXIF tag; false: take pixels as stored.
        class_names, palette (optional): see `ListDataset`; null: those of
            mask_colors.
        The others: see `SegDataset`.
    """

    @check.arguments
    def __init__(self, *, dataset_root: check.Text(),
                 role: check.OneOf(*SECTIONS),
                 num_classes: check.Range(1, 255, integer=True),
                 image_dir: check.Text() = "images",
                 mask_dir: check.Text(optional=True) = None,
                 mask_suffix: check.Text() = "",
                 list_file: check.Text(optional=True) = None,
                 split: check.Text(optional=True) = None,
                 val_split: check.VAL_SPLIT = None,
                 val_seed: check.Range(0, integer=True) = 0,
                 mask_values: check.ListOf(_BYTE, optional=True) = None,
                 ignore_values: check.ListOf(_BYTE, optional=True) = None,
                 mask_colors: MASK_COLORS = None,
                 ignore_colors: check.ListOf(check.COLOR,
                                             optional=True) = None,
                 image_range: check.ListOf(_DEEP, 2, optional=True) = None,
                 exif_rotation: check.BOOL = True, transforms=None,
                 ignore_index: check.Range(0, 255, integer=True) = 255,
                 class_names: check.ListOf(check.Text(), optional=True) = None,
                 palette: PALETTE = None, views=None, crops=None,
                 masks=None, same_image_mix: check.BOOL = False,
                 joint_order: check.BOOL = False,
                 list_resampling: check.BOOL = False):
        palette = named_palette(palette)
        class_names, colors = color_table(mask_colors, class_names, palette)
        self._table = _table(num_classes, ignore_index, mask_values,
                             ignore_values, colors, ignore_colors)
        check_names(num_classes, class_names, palette)
        if image_range is not None and image_range[0] >= image_range[1]:
            raise ArgumentError("image_range", image_range,
                                "[low, high] with low < high")
        self.image_range, self.upright = image_range, exif_rotation
        section = SECTIONS[role]
        check_root(dataset_root, section)
        rows = None
        if list_file is not None:
            list_file = with_split(list_file, split)
        elif split is not None:
            rows = _split_rows(dataset_root, role, split, val_split)
            where = f"split = {split}"
        if rows is None:
            rows, where = _Source(
                dataset_root, section, image_dir, mask_dir,
                files.bare_suffix(mask_suffix)).rows(
                    role, list_file, val_split, val_seed)
        super().__init__(rows=rows, where=where, transforms=transforms,
                         role=role, num_classes=num_classes,
                         ignore_index=ignore_index, class_names=class_names,
                         palette=palette if palette is not None else colors,
                         views=views, crops=crops, masks=masks,
                         same_image_mix=same_image_mix,
                         joint_order=joint_order,
                         list_resampling=list_resampling)

    @classmethod
    def configured_palette(cls, section):
        palette = super().configured_palette(section)
        if palette is None:
            _, palette = color_table(section.get("mask_colors"),
                                     section.get("class_names"), None)
        return palette

    @classmethod
    def configured_names(cls, section):
        colors = section.get("mask_colors")
        return super().configured_names(section) or (
            list(colors) if isinstance(colors, dict) else None)

    def read_image(self, path):
        return read_image(path, image_range=self.image_range,
                          upright=self.upright)

    def read_mask(self, path):
        return self._table.read(path, self.upright)

    def mask_histogram(self, path):
        return self._table.histogram(path, self.upright)


def _table(num_classes, ignore_index, values, ignored, colors, ignore_colors):
    """What the masks hold: a ValueTable or a ColorTable."""
    if colors is not None:
        if len(colors) != num_classes:
            raise ArgumentError("mask_colors", list(colors), f"{num_classes} "
                                "colours, one for each class")
        for name, given in (("mask_values", values),
                            ("ignore_values", ignored)):
            if given is not None:
                raise ArgumentError(name, given, "null beside mask_colors "
                                    "(ignore_colors is for colours)")
        return ColorTable(colors, ignore_colors or (), ignore_index)
    if ignore_colors is not None:
        raise ArgumentError("ignore_colors", ignore_colors, "null without "
                            "mask_colors")
    if values is not None and len(set(values)) != num_classes:
        raise ArgumentError("mask_values", values, f"{num_classes} different "
                            "numbers, one for each class")
    return ValueTable(values or range(num_classes), ignored or (),
                      ignore_index)


def _split_rows(root, role, split, val_split):
    """The rows of a split; None for "val" where it has no such list."""
    if val_split is not None:
        raise ArgumentError("val_split", val_split, "null beside split, whose "
                            "lists say what is for validation")
    name = os.path.basename(os.path.abspath(root))
    lists = split_lists.read_split(split_lists.find_split(name, split))
    if role == "val" and "val" not in lists:
        return None
    return split_lists.dataset_rows(dataset=name, split=split, role=role,
                                    root=root)


class _Source:
    """Images and masks below a root, as one section names them."""

    def __init__(self, root, section, image_dir, mask_dir, suffix):
        self.root, self.section, self.image_dir = root, section, image_dir
        self.images = os.path.normpath(os.path.join(root, image_dir))
        self.mask_dir, self.suffix, self.masks_in = mask_dir, suffix, None
        self.masks = {}
        if mask_dir is not None:
            files.check_suffix(mask_dir, image_dir, suffix)
            key = f"{section}.mask_dir"
            self.masks_in = files.need_folder(root, mask_dir, key)
            self.masks = files.find_masks(self.masks_in, suffix,
                                          f"{key} = {mask_dir}")

    def rows(self, role, list_file, val_split, val_seed):
        """The files of a role: (list of Row, key and value for messages)."""
        if list_file is not None:
            where = f"list_file = {list_file}"
            rows = self._listed(list_file, "list_file")
        else:
            where = f"image_dir = {self.image_dir}"
            rows = self._walked(role)
        labelled = [row for row in rows if row.mask is not None]
        if isinstance(val_split, str):
            held = self._listed(val_split, "val_split")
            if role == "val":
                return held, f"val_split = {val_split}"
        elif val_split is not None and labelled:
            names = files.held_out([row.name for row in labelled], val_split,
                                   val_seed, f"{self.section}.val_split")
            held = [row for row in labelled if row.name in names]
            if role == "val":
                return held, f"val_split = {val_split}"
        else:
            held = []
        if list_file is None:
            rows = [row for row in rows if (row.mask is None) ==
                    (role == "unlabeled")]
        kept = {os.path.abspath(row.image) for row in held}
        rows = [r for r in rows if os.path.abspath(r.image) not in kept]
        if not rows:
            where += self._why_none(role)
        return rows, where

    def _walked(self, role):
        """Every image of the folder, with its mask where there is one."""
        key = f"{self.section}.image_dir"
        folder = files.need_folder(self.root, self.image_dir, key)
        names = files.find_pictures(folder, masks_in=self.masks_in,
                                    suffix=self.suffix)
        files.check_pictures(names, folder, f"{key} = {self.image_dir}")
        if role != "unlabeled":
            files.check_pairs(names, self.masks, folder,
                              f"{self.section}.mask_dir = {self.mask_dir}")
        return [Row(os.path.join(folder, name),
                    self.masks.get(files.stem(name)), output_name(name))
                for name in names]

    def _listed(self, list_file, key):
        path = find_list(self.root, list_file, f"{self.section}.{key}")
        return [self._row(fields) for _, fields in read_list(path)]

    def _row(self, fields):
        image = os.path.normpath(os.path.join(self.images, fields[0]))
        if not os.path.exists(image):
            inside = os.path.normpath(os.path.join(self.root, fields[0]))
            image = inside if os.path.exists(inside) else image
        if len(fields) == 2:
            mask = os.path.join(self.root, fields[1])
        else:
            name = os.path.relpath(image, self.images)
            mask = self.masks.get(files.stem(name))
        return Row(image, mask, output_name(fields[0]))

    def _why_none(self, role):
        if role == "unlabeled":
            return (" (all of them have a mask, or are for validation; "
                    "unlabelled images may have a folder of their own)")
        return (" (none has a mask; state mask_dir, with masks of the images' "
                "names)" if self.mask_dir is None else
                " (none with a mask is left)")

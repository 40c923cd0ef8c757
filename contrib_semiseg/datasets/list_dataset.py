# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Datasets of the user's own files, by a list or by folders."""

import os

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError, DataError, nearest
from contrib_semiseg.cvlibs.text_file import read_lines
from contrib_semiseg.datasets.base import SECTIONS, Row, SegDataset
from contrib_semiseg.datasets.label_ids import KNOWN, class_table
from contrib_semiseg.datasets.palettes import NAMED, named_palette
from contrib_semiseg.datasets.reading import IMAGE_SUFFIXES

PALETTE = check.Either(check.OneOf(*NAMED), check.ListOf(check.ListOf(
    check.Range(0, 255, integer=True), 3), optional=True))


def find_list(root, list_file, key):
    """Path of a list file, given as it is or relative to `root`.

    Raises: DataError naming `key`, if it is in neither place.
    """
    inside = os.path.join(root, list_file)
    for path in (inside, list_file):
        if os.path.isfile(path):
            return path
    folder = os.path.dirname(inside)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    close = nearest(os.path.basename(list_file), names)
    raise DataError(f"{key} = {list_file}: there is no such file, here or in "
                    f"{root}{close}")


def read_list(path, separator=None):
    """Fields of each line that is not blank: list of (line number, fields).

    Fields are separated by `separator`; None: by a tab where the line has
    one, else by blanks.
    Raises: DataError naming file and line, for more than two fields and for
        what `read_lines` refuses.
    """
    rows = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        mark = separator or ("\t" if "\t" in line else None)
        fields = [f.strip() for f in line.strip().split(mark)]
        fields = [f for f in fields if f]
        if len(fields) > 2:
            raise DataError(
                f"{path}: line {number} has {len(fields)} fields; allowed: "
                "'image mask' or 'image' (put a tab between names that hold "
                "blanks)")
        rows.append((number, fields))
    return rows


def with_split(list_file, split):
    """A list's name with `split` (str or None) where it says "{split}"."""
    if "{split}" not in list_file:
        return list_file
    if split is None:
        raise ArgumentError("list_file", list_file, "a path; {split} in it "
                            "needs split at the top of the config")
    return list_file.replace("{split}", split)


def walk_images(folder):
    """Images below a folder, sorted: paths relative to it."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [os.path.relpath(os.path.join(where, n), folder)
                  for n in names if n.lower().endswith(IMAGE_SUFFIXES) and
                  not n.startswith(".")]
    return sorted(found)


def check_root(dataset_root, section):
    """Refuse a `dataset_root` that is no folder."""
    if not os.path.isdir(dataset_root):
        raise DataError(f"{section}.dataset_root = {dataset_root}: there is "
                        "no such folder")


def check_names(num_classes, class_names, palette):
    """Refuse names or colours that are not one for each class."""
    for name, given in (("class_names", class_names), ("palette", palette)):
        if given is not None and len(given) != num_classes:
            raise ArgumentError(name, given, f"{num_classes} entries, one "
                                "for each class")


@manager.register(manager.DATASETS)
class ListDataset(SegDataset):
    """Images and masks named by a list file, or all images of a folder.

    Lines of the list: "image mask" (a blank or a tab between), or "image"
    alone, or an id that `image_dir`, `mask_dir` and the suffixes complete.
    Without a list, all images below `image_dir` are taken.

    Args:
        dataset_root (str): the folder that all paths are relative to.
        list_file (str, optional): relative to it, or a path as it is;
            "{split}" in it stands for `split`.
        split (str, optional): stated once at the top of the config.
        image_dir, mask_dir (str, optional): folders; a mask that the list
            does not name has the image's name in `mask_dir`.
        image_suffix (str, optional): put after the ids, e.g. ".jpg".
        mask_suffix (str): of the masks in `mask_dir`.
        mask_replace (dict, optional): parts of an image's path -> what the
            mask's path has instead, as where masks lie in other folders
            under other names; in place of `mask_dir`.
        mask_ids (str, optional): what the masks hold in place of classes:
            cityscapes, the numbers of its *_labelIds.png.
        class_names (list of str, optional): one for each class.
        palette (list or str, optional): an RGB colour for each class, or
            the name of known ones: cityscapes, voc.
        The others: see `SegDataset`.
    """

    @check.arguments
    def __init__(self, *, dataset_root: check.Text(),
                 role: check.OneOf(*SECTIONS),
                 num_classes: check.Range(1, 255, integer=True),
                 list_file: check.Text(optional=True) = None,
                 split: check.Text(optional=True) = None,
                 image_dir: check.Text(optional=True) = None,
                 mask_dir: check.Text(optional=True) = None,
                 image_suffix: check.Text() = "",
                 mask_suffix: check.Text() = ".png", transforms=None,
                 mask_replace: check.TextMap(optional=True) = None,
                 mask_ids: check.OneOf(None, *KNOWN) = None,
                 ignore_index: check.Range(0, 255, integer=True) = 255,
                 class_names: check.ListOf(check.Text(), optional=True) = None,
                 palette: PALETTE = None, views=None, crops=None,
                 masks=None, same_image_mix: check.BOOL = False,
                 joint_order: check.BOOL = False,
                 list_resampling: check.BOOL = False):
        palette = named_palette(palette)
        check_names(num_classes, class_names, palette)
        section = SECTIONS[role]
        self._root, self._mask = dataset_root, (mask_dir, mask_suffix)
        self._replace = mask_replace
        self._classes = None if mask_ids is None else class_table(
            mask_ids, ignore_index)
        check_root(dataset_root, section)
        if list_file is not None:
            list_file = with_split(list_file, split)
            where = f"list_file = {list_file}"
            path = find_list(dataset_root, list_file, f"{section}.list_file")
            rows = [self._row(fields, image_dir, image_suffix)
                    for _, fields in read_list(path)]
        elif image_dir is not None:
            where = f"image_dir = {image_dir}"
            folder = os.path.join(dataset_root, image_dir)
            if not os.path.isdir(folder):
                raise DataError(f"{section}.{where}: there is no folder "
                                f"{folder}")
            rows = [self._row([name], image_dir, "")
                    for name in walk_images(folder)]
        else:
            raise ArgumentError("list_file", None, "a list file, or null "
                                "together with an image_dir")
        super().__init__(rows=rows, where=where, transforms=transforms,
                         role=role, num_classes=num_classes,
                         ignore_index=ignore_index, class_names=class_names,
                         palette=palette, views=views, crops=crops,
                         masks=masks,
                         same_image_mix=same_image_mix,
                         joint_order=joint_order,
                         list_resampling=list_resampling)

    def decode(self, mask):
        return mask if self._classes is None else self._classes[mask]

    def _row(self, fields, image_dir, image_suffix):
        mask_dir, mask_suffix = self._mask
        name = fields[0] + image_suffix
        image = os.path.join(self._root, image_dir or "", name)
        mask = None
        if len(fields) == 2:
            mask = os.path.join(self._root, fields[1])
        elif self._replace:
            mask = name
            for old, new in self._replace.items():
                mask = mask.replace(old, new)
            if mask == name:
                raise ArgumentError("mask_replace", self._replace,
                                    f"a part of {name} and another text")
            mask = os.path.join(self._root, mask)
        elif mask_dir is not None:
            stem = fields[0] if image_suffix else os.path.splitext(name)[0]
            mask = os.path.join(self._root, mask_dir, stem + mask_suffix)
        return Row(image, mask, output_name(name))


def output_name(name):
    """A listed path as a relative one that stays below an output folder."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(p for p in parts if p not in ("", ".", ".."))


@manager.override(manager.DATASETS)
class Dataset(SegDataset):
    """A list-driven dataset under the keywords of PaddleSeg's `Dataset`.

    Args:
        dataset_root (str): the folder that listed paths are relative to.
        mode (str): train, val or test: which of the three lists is read.
        train_path, val_path, test_path (str, optional): the lists.
        separator (str): between image and mask of a line.
        img_channels (int): 3 only.
        edge (bool): false only.
        The others: see `SegDataset`.
    """

    @check.arguments
    def __init__(self, *, dataset_root: check.Text(),
                 role: check.OneOf(*SECTIONS),
                 num_classes: check.Range(1, 255, integer=True),
                 mode: check.OneOf("train", "val", "test") = "train",
                 train_path: check.Text(optional=True) = None,
                 val_path: check.Text(optional=True) = None,
                 test_path: check.Text(optional=True) = None,
                 separator: check.Text() = " ", transforms=None,
                 img_channels: check.OneOf(3) = 3,
                 ignore_index: check.Range(0, 255, integer=True) = 255,
                 edge: check.OneOf(False) = False, views=None, crops=None,
                 masks=None,
                 same_image_mix: check.BOOL = False,
                 joint_order: check.BOOL = False,
                 list_resampling: check.BOOL = False):
        section, key = SECTIONS[role], f"{mode}_path"
        listed = dict(train=train_path, val=val_path, test=test_path)[mode]
        if listed is None:
            raise ArgumentError(key, None, f"a list file, as mode is {mode}")
        check_root(dataset_root, section)
        path = find_list(dataset_root, listed, f"{section}.{key}")
        rows = [Row(os.path.join(dataset_root, fields[0]),
                    os.path.join(dataset_root, fields[1])
                    if len(fields) == 2 else None, output_name(fields[0]))
                for _, fields in read_list(path, separator)]
        super().__init__(rows=rows, where=f"{key} = {listed}",
                         transforms=transforms, role=role,
                         num_classes=num_classes, ignore_index=ignore_index,
                         views=views, crops=crops, masks=masks,
                         same_image_mix=same_image_mix,
                         joint_order=joint_order,
                         list_resampling=list_resampling)

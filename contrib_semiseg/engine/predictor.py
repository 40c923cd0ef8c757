# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The files that a prediction is written as.

    DIR/class_map/NAME.png    class indices, with a palette
    DIR/color/NAME.png        the colours of the classes
    DIR/overlay/NAME.jpg      these over the picture, and a legend
    DIR/confidence/NAME.png   probability of the class, grey, 8 or 16 bits
    DIR/polygons/NAME.json    regions, see `polygons`
"""

import collections
import io
import json
import os

import cv2
import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import legend, pictures, polygons

SUFFIXES = {"class_map": ".png", "color": ".png", "overlay": ".jpg",
            "confidence": ".png", "polygons": ".json"}
FOLDERS = ("class_map", "color", "overlay")  # those written unless asked


def write(path, data):
    """Write bytes under a temporary name and rename."""
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    # A name of its own would stay after every kill.
    temporary = os.path.join(folder, f".{name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def index_png(classes, palette):
    """PNG bytes of a class map that opens in colour but holds indices."""
    image = Image.fromarray(classes)
    if classes.dtype == np.uint8:
        image.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _encode(suffix, image):
    return cv2.imencode(suffix, image[:, :, ::-1])[1].tobytes()


def output_names(names):
    """Relative output paths without suffix, one per image name.

    The suffix of the image goes, except where two images differ in it alone.
    Raises: DataError for a name that leaves the folder of the outputs.
    """
    for name in names:
        if os.path.isabs(name) or ".." in name.split("/"):
            raise DataError(f"{name} is no name of an output; allowed: a "
                            "path below a folder")
    stems = [os.path.splitext(name)[0] for name in names]
    count = collections.Counter(stems)
    return [stem if count[stem] == 1 else name
            for stem, name in zip(stems, names)]


class Outputs:
    """What is written of each picture, and where.

    Args:
        save_dir (str): see the module.
        kinds (sequence of str): of SUFFIXES.
        names (list of str): of the classes.
        palette (ndarray, optional): see `pictures.colorize`.
        with_legend (bool): overlays have the legend below.
        confidence_bits (int): 8 or 16: grey is the probability times 255
            or 65535.
        tolerance, min_area: see `polygons.trace`.
    """

    def __init__(self, save_dir, *, names, kinds=FOLDERS, palette=None,
                 with_legend=True, confidence_bits=8, tolerance=1.0,
                 min_area=25):
        self.save_dir, self.kinds = str(save_dir), tuple(kinds)
        self.names, self.palette = list(names), palette
        self.with_legend, self.confidence_bits = with_legend, confidence_bits
        self.tolerance, self.min_area = tolerance, min_area

    def path(self, kind, name):
        """The file of one kind; `name` has no suffix."""
        return os.path.join(self.save_dir, kind, name + SUFFIXES[kind])

    def paths(self, name, leave_out=()):
        """All files of a picture, but for some kinds."""
        return [self.path(kind, name) for kind in self.kinds
                if kind not in leave_out]

    def shown(self, kind, image, classes):
        """The picture of a kind that is one: uint8 [H', W, 3]."""
        color = pictures.colorize(classes, self.palette)
        if kind == "color":
            return color
        blend = pictures.overlay(image, color)
        return legend.below(blend, self.names, self.palette) \
            if self.with_legend else blend

    def encode(self, kind, name, image, classes, sure):
        """The bytes of a file.

        Args:
            kind (str): of SUFFIXES.
            name (str): of the picture, for the polygons.
            image (ndarray): uint8 [H, W, 3], RGB.
            classes (ndarray): uint8 or uint16 [H, W].
            sure (ndarray): float32 [H, W] in [0, 1]; of the confidence.
        """
        if kind == "class_map":
            return index_png(classes,
                             pictures.full_palette(256, self.palette))
        if kind == "confidence":
            most = 2 ** self.confidence_bits - 1
            grey = np.rint(sure * most).astype(f"uint{self.confidence_bits}")
            return cv2.imencode(".png", grey)[1].tobytes()
        if kind == "polygons":
            return json.dumps(polygons.of_picture(
                classes, name, self.names, tolerance=self.tolerance,
                min_area=self.min_area)).encode()
        return _encode(SUFFIXES[kind], self.shown(kind, image, classes))

    def save(self, name, picture, image, classes, sure=None, leave_out=()):
        """Write the files of one picture, each by rename.

        Args:
            name (str): relative path without suffix.
            picture (str): the name of the picture itself.
            image, classes, sure: see `encode`.
            leave_out (sequence of str): kinds.
        """
        for kind in self.kinds:
            if kind not in leave_out:
                write(self.path(kind, name), self.encode(
                    kind, picture, image, classes, sure))

    def join_polygons(self, names):
        """Write polygons.json of all pictures whose own file is there."""
        path = os.path.join(self.save_dir, "polygons.json")

        def parts():
            for name in names:
                try:
                    with open(self.path("polygons", name),
                              encoding="utf-8") as file:
                        yield json.load(file)
                except FileNotFoundError:
                    continue

        temporary = path + ".tmp"
        os.makedirs(self.save_dir, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(polygons.joined(parts(), self.names))
        os.replace(temporary, path)

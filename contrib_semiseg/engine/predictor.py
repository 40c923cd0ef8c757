# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Write the predictions of many images as pictures."""

import collections
import io
import os
import uuid

import cv2
import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import console, pictures
from contrib_semiseg.engine.evaluator import progress, read_ahead

FOLDERS = ("class_map", "color", "overlay")


def write(path, data):
    """Write bytes under a temporary name and rename."""
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{uuid.uuid4().hex[:8]}.{name}.tmp")
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


def save_prediction(save_dir, name, image, classes, palette):
    """Write the three pictures of one image, each by rename.

    Args:
        save_dir (str): gets class_map/NAME.png (indices, with a palette),
            color/NAME.png and overlay/NAME.jpg.
        name (str): relative path without suffix.
        image (ndarray): uint8 [H, W, 3], RGB.
        classes (ndarray): uint8 or uint16 [H, W].
        palette (ndarray, optional): see `pictures.colorize`.
    """
    color = pictures.colorize(classes, palette)
    parts = (
        (".png", index_png(classes, pictures.full_palette(256, palette))),
        (".png", _encode(".png", color)),
        (".jpg", _encode(".jpg", pictures.overlay(image, color))))
    for folder, (suffix, data) in zip(FOLDERS, parts):
        write(os.path.join(save_dir, folder, name + suffix), data)


def predict(inferencer, images, *, read, save_dir, palette=None, workers=1):
    """Predict images and write the results; a broken one is passed over.

    Args:
        inferencer (Inferencer): image to class map.
        images (list): (path, relative name) of each.
        read (callable): path to uint8 [H, W, 3]; DataError if it cannot.
        save_dir (str): see `save_prediction`.
        palette (ndarray, optional): see `pictures.colorize`.
        workers (int): threads that read.

    Returns: list of the paths that could not be read.
    """
    names = output_names([name for _, name in images])

    def load(index):
        try:
            return index, read(images[index][0])
        except DataError as error:
            return index, error

    broken = []
    for index, image in progress(
            read_ahead(load, range(len(images)), workers), len(images),
            "predicting"):
        if isinstance(image, DataError):
            broken.append(images[index][0])
            console.say(f"passed over: {image}")
            continue
        classes, _ = inferencer(image)
        save_prediction(save_dir, names[index], image, classes, palette)
    return broken

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Class maps as polygons, in the JSON of COCO that annotation tools read.

A polygon runs along the edges of pixels: its corners are whole numbers, (0,
0) the upper left corner of the picture. COCO knows no holes; a hole is joined
to the polygon around it by a cut of no width, there and back.
"""

import json

import cv2
import numpy as np

_GRAIN = 3  # findContours follows middles of pixels; of a third, edges


def _corners(contour):
    """A contour of the enlarged mask as corners of pixels: int [K, 2]."""
    points = np.rint((contour[:, 0] + 0.5) / _GRAIN).astype(np.int64)
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    # What is left are steps of one pixel: a corner is where they turn.
    steps = points - np.roll(points, 1, axis=0)
    return points[(steps != np.roll(steps, -1, axis=0)).any(axis=1)]


def _simplified(points, tolerance):
    if tolerance <= 0 or len(points) < 5:
        return points
    found = cv2.approxPolyDP(points.astype(np.int32)[:, None], tolerance,
                             True)[:, 0].astype(np.int64)
    return found if len(found) >= 3 else points


def _joined(outer, hole):
    """One polygon of two, cut from the hole's left end to a near corner."""
    k = hole[:, 0].argmin()
    i = ((outer - hole[k]) ** 2).sum(axis=1).argmin()
    return np.concatenate([outer[:i + 1], np.roll(hole, -k, axis=0),
                           hole[k:k + 1], outer[i:]])


def trace(mask, *, tolerance=0.0, min_area=0):
    """The regions of a mask; pixels that touch in a corner are of one.

    Args:
        mask (ndarray): bool [H, W].
        tolerance (float): how far, in pixels, a polygon may leave the edge;
            0 follows every pixel.
        min_area (int): smaller regions and holes, in pixels, are left out.

    Returns: list of (polygon int [K, 2] of x and y, pixels (int), box (x, y,
        width, height)) of each region.
    """
    # cv2.boundingRect of OpenCV 4.5 is wrong for some narrow masks.
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    y, x = rows[0], columns[0]
    part = mask[y:rows[-1] + 1, x:columns[-1] + 1].astype(np.uint8)
    contours, tree = cv2.findContours(
        np.kron(part, np.ones((_GRAIN, _GRAIN), np.uint8)),
        cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = []
    for number, (_, _, child, parent) in enumerate(tree[0]):
        if parent >= 0:
            continue
        outer = _corners(contours[number])
        pixels, holes = _area(outer), []
        while child >= 0:
            hole = _corners(contours[child])
            pixels -= _area(hole)
            if _area(hole) >= max(min_area, 1):
                holes.append(hole)
            child = tree[0][child][0]
        if pixels < max(min_area, 1):
            continue
        left, top = outer.min(axis=0) + (x, y)
        right, bottom = outer.max(axis=0) + (x, y)
        polygon = _simplified(outer, tolerance)
        for hole in holes:
            polygon = _joined(polygon, _simplified(hole, tolerance))
        found.append((polygon + (x, y), int(pixels),
                      (int(left), int(top), int(right - left),
                       int(bottom - top))))
    return found


def _area(points):
    """Pixels inside a polygon of corners."""
    x, y = points[:, 0], points[:, 1]
    return abs(int((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) // 2


def categories(names):
    """COCO's list of classes: the id of class k is k + 1."""
    return [{"id": k + 1, "name": name, "supercategory": ""}
            for k, name in enumerate(names)]


def of_picture(classes, name, names, *, tolerance=1.0, min_area=25):
    """The regions of a class map as COCO's JSON: a dict.

    Args:
        classes (ndarray): integers [H, W].
        name (str): of the picture's file.
        names (list of str): of the classes; others are left out.
        tolerance, min_area: see `trace`.
    """
    regions = [(k, *region) for k in np.unique(classes) if k < len(names)
               for region in trace(classes == k, tolerance=tolerance,
                                   min_area=min_area)]
    return {
        "images": [{"id": 1, "file_name": name, "width": classes.shape[1],
                    "height": classes.shape[0]}],
        "annotations": [{
            "id": number, "image_id": 1, "category_id": int(k) + 1,
            "segmentation": [polygon.ravel().tolist()], "area": pixels,
            "bbox": list(box), "iscrowd": 0}
            for number, (k, polygon, pixels, box) in enumerate(regions, 1)],
        "categories": categories(names)}


def joined(parts, names):
    """Pieces of the text of one JSON file for many pictures.

    Args:
        parts (iterable of dict): see `of_picture`; taken one at a time.
        names (list of str): of the classes.
    """
    images, marks = [], 0
    yield '{"annotations": ['
    for number, part in enumerate(parts, 1):
        images.append({**part["images"][0], "id": number})
        for row in part["annotations"]:
            marks += 1
            yield (",\n" if marks > 1 else "\n") + json.dumps(
                {**row, "id": marks, "image_id": number})
    yield '\n], "images": ' + json.dumps(images)
    yield ', "categories": ' + json.dumps(categories(names)) + "}\n"

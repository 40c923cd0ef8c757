# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""COCO 2017 as 81 classes: its 80 kinds of things, and 0 for all else.

Masks are painted from the instances: crowds first, then from the largest to
the smallest, so that what lies on top of something is seen. Crowds count as
their class and panoptic's void as background, since the masks that published
results were measured with have no ignored pixels; `ignore_crowd` gives 255.
"""

import json
import os

import numpy as np

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.preparation import archives, record, results, tool, work

EXPECTED = {"train.txt": 118287, "val.txt": 5000}
_URL = "https://cocodataset.org/#download"
_PARTS = ("train2017", "val2017")
IGNORED = 255


def class_of(categories, ids, names, where):
    """Category id -> class, of a file's own table of categories.

    Args:
        categories (list of dict): the json's; `isthing` 0 is background.
        ids, names (sequence): of all 81 classes.

    Raises: DataError, if a thing is not COCO's.
    """
    known = {i: (c, name) for c, (i, name) in enumerate(zip(ids, names))}
    classes = {}
    for category in categories:
        if not category.get("isthing", 1):
            classes[category["id"]] = 0
            continue
        found, name = known.get(category["id"], (None, None))
        if name != category["name"]:
            raise DataError(
                f"{where}: category {category['id']} is "
                f"{category['name']!r}; allowed: the 80 categories of COCO"
                + (f", where it is {name!r}" if name else ""))
        classes[category["id"]] = found
    return classes


def paint(height, width, instances, ignore_crowd):
    """The mask of one image: uint8 [H, W].

    Args:
        instances (list): (class, segmentation, area, is crowd, id) each; the
            segmentation is COCO's: polygons, or run lengths.
        ignore_crowd (bool): crowds become 255, not their class.
    """
    coder = tool.need_package("pycocotools.mask",
                              "to draw the polygons of COCO")
    mask = np.zeros((height, width), np.uint8)
    order = sorted(instances, key=lambda i: (not i[3], -i[2], i[4]))
    for class_id, shape, _, crowd, _ in order:
        if isinstance(shape, dict) and isinstance(shape["counts"], str):
            runs = shape
        elif isinstance(shape, dict):
            runs = coder.frPyObjects(shape, height, width)
        elif shape:
            runs = coder.merge(coder.frPyObjects(shape, height, width))
        else:
            continue
        mask[coder.decode(runs) > 0] = IGNORED if crowd and ignore_crowd \
            else class_id
    return mask


def make_instances(path, where, size, instances, ignore_crowd):
    """Write the mask of one image's instances."""
    try:
        mask = paint(*size, instances, ignore_crowd)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"{where}: its instances cannot be drawn ({error})"
                        ) from error
    results.put_mask(path, mask)


def make_panoptic(path, data, where, segments, ignore_crowd):
    """Write the mask of one panoptic PNG, whose colours number segments.

    Args:
        segments (list): (id, class, is crowd) each.
    """
    colors = np.array(results.decode(data, where).convert("RGB"), np.int64)
    numbers = colors @ np.array([1, 1 << 8, 1 << 16])
    mask = np.zeros(numbers.shape, np.uint8)
    if ignore_crowd:
        mask[numbers == 0] = IGNORED
    for number, class_id, crowd in segments:
        mask[numbers == number] = IGNORED if crowd and ignore_crowd \
            else class_id
    results.put_mask(path, mask)


def _load(source, name):
    """The json `name` of the annotations. Raises: DataError."""
    for file in archives.files(source, lambda n: n.split("/")[-1] == name):
        try:
            return json.loads(file.read())
        except ValueError as error:
            raise DataError(f"{source}: {name} is not a whole json file "
                            f"({error})") from error
    raise DataError(f"{source}: {name} is missing; allowed: the archive as "
                    f"it was published at {_URL}")


def _class(classes, annotation):
    try:
        return classes[annotation["category_id"]]
    except KeyError:
        raise DataError(f"annotation {annotation.get('id')} has the category "
                        f"{annotation.get('category_id')}; allowed: those of "
                        "the file's own table") from None


def _instance_jobs(made, tree, part, classes, ignore_crowd):
    of_image = {}
    for a in tree.pop("annotations"):
        of_image.setdefault(a["image_id"], []).append(
            (_class(classes, a), a["segmentation"], a["area"],
             bool(a.get("iscrowd")), a["id"]))
    for image in tree["images"]:
        path = made.path("masks", part, _png(image["file_name"]))
        found = of_image.pop(image["id"], [])
        if made.lacks(path):
            yield (path, image["file_name"], (image["height"],
                                              image["width"]), found,
                   ignore_crowd)


def _panoptic_jobs(made, tree, part, classes, ignore_crowd, source):
    of_file = {a["file_name"]: [(s["id"], _class(classes, s),
                                 bool(s.get("iscrowd")))
                                for s in a["segments_info"]]
               for a in tree["annotations"]}
    for file in _panoptic_files(made, source, part):
        name = file.name.split("/")[-1]
        path = made.path("masks", part, name)
        if name in of_file and made.lacks(path):
            yield path, file.read(), file.name, of_file[name], ignore_crowd


def _panoptic_files(made, source, part):
    """The PNGs of a part: in a folder, or in an archive in the archive."""
    folder = f"panoptic_{part}"
    found = False
    for file in archives.files(
            source, lambda n: n.split("/")[-2:-1] == [folder]):
        found = True
        yield file
    if found:
        return
    inner = made.path(f"{folder}.zip")
    for file in archives.files(
            source, lambda n: n.split("/")[-1] == f"{folder}.zip"):
        try:
            results.put_bytes(inner, file.read())
            yield from archives.files(inner, lambda n: n.endswith(".png"))
        finally:
            os.unlink(inner)
        return
    raise DataError(f"{source}: {folder}.zip is missing; allowed: the archive "
                    f"as it was published at {_URL}")


def _png(name):
    return f"{os.path.splitext(os.path.basename(name))[0]}.png"


def prepare(made, places, ids, names, *, masks="instances",
            ignore_crowd=False):
    """Make train2017, val2017, masks/..., train.txt and val.txt.

    Args:
        made (tool.Target): where and how.
        places (list of str): where the user's downloads are.
        ids, names (sequence): category id and name of all 81 classes.
        masks (str): instances or panoptic, which annotations are drawn.
        ignore_crowd (bool): crowds, and panoptic's void, become 255.
    """
    file = "annotations_trainval2017" if masks == "instances" else \
        "panoptic_annotations_trainval2017"
    pictures = {part: archives.need(places, [f"{part}.zip", part],
                                    what=f"COCO's {part}", url=_URL)
                for part in _PARTS}
    notes = archives.need(places, [f"{file}.zip", file, "annotations"],
                          what="COCO's annotations", url=_URL)
    if masks == "instances":
        tool.need_package("pycocotools.mask", "to draw the polygons of COCO")
    settings = {"masks": masks, "ignore_crowd": ignore_crowd}
    with results.alone_in(made.root):
        record.check_settings(made.root, settings, made.overwrite)
        lists = {}
        for part in _PARTS:
            there = tool.put_all(made, _images(made, pictures[part], part),
                                 part)
            tree = _load(notes, f"{masks}_{part}.json")
            classes = class_of(tree["categories"], ids, names,
                               f"{masks}_{part}.json")
            jobs = (part, classes, ignore_crowd)
            if masks == "instances":
                work.run(make_instances, _instance_jobs(made, tree, *jobs),
                         what=f"masks of {part}", workers=made.workers)
            else:
                work.run(make_panoptic, _panoptic_jobs(
                    made, tree, *jobs, notes), what=f"masks of {part}",
                    workers=made.workers)
            lists[f"{part[:-4]}.txt"] = _rows(tree["images"], part, there,
                                              made)
            del tree
        made.finish(lists, expected=EXPECTED, num_classes=len(names),
                    settings=settings)


def _images(made, source, part):
    folder = os.path.isdir(source)
    for file in archives.files(
            source, lambda n: n.endswith(".jpg") and (
                folder or n.split("/")[-2:-1] == [part])):
        yield made.path(part, os.path.basename(file.name)), file


def _rows(images, part, there, made):
    rows = []
    for name in sorted(os.path.basename(i["file_name"]) for i in images):
        if made.path(part, name) not in there:
            raise DataError(f"{part}/{name} is in the annotations, and not "
                            f"in {part}.zip; download it again")
        rows.append((f"{part}/{name}", f"masks/{part}/{_png(name)}"))
    return rows

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Where the published splits stand in their authors' repositories.

The lists themselves are not part of the project. Each line of a source names
an image (VOC: or its id) and perhaps a mask; here both are named as in the
dataset's official layout.
"""

from typing import NamedTuple, Optional


class Source(NamedTuple):
    """A repository on GitHub at one commit."""

    repository: str
    commit: str

    def url(self, path):
        return (f"https://raw.githubusercontent.com/{self.repository}/"
                f"{self.commit}/{path}")

    @property
    def folders(self):
        """Names that a clone may have."""
        return (self.repository.replace("/", "_"),
                self.repository.split("/")[1])


SOURCES = {
    "unimatch": Source("LiheYoung/UniMatch",
                       "0324f3dd4a22128105a5eb135d2586c0bb3cc647"),
    "st": Source("LiheYoung/ST-PlusPlus",
                 "f4e7a571fe59f4254fe12a5073da1231d29d0a79"),
    "cps": Source("charlesCXK/TorchSemiSeg",
                  "5e0c29c02738728b6848a732817db15620a6e034"),
    "u2pl": Source("Haochen-Wang409/U2PL",
                   "ab3d2be313d4d6b2885e7a0213d4fce82a803b79"),
    "cac": Source("dvlab-research/Context-Aware-Consistency",
                  "4fdec7af8ad22eaabbf852727f2d824b66069999"),
}


class Published(NamedTuple):
    """A split: files of its source's repository.

    Several unlabelled files are put together, sorted. `rest` (str): the
    unlabelled images are those of this folder that are not labelled.
    """

    dataset: str
    source: str
    name: str
    labeled: str
    unlabeled: tuple
    rest: Optional[str] = None


def published():
    """All published splits: list of Published."""
    return [*_unimatch(), *_st(), *_cps(), *_u2pl(), *_cac()]


# {(dataset, source): validation list}. CPS comes with none of VOC; all of
# them hold the same images.
VAL = {
    ("voc", "unimatch"): "splits/pascal/val.txt",
    ("cityscapes", "unimatch"): "splits/cityscapes/val.txt",
    ("coco", "unimatch"): "splits/coco/val.txt",
    ("voc", "st"): "dataset/splits/pascal/val.txt",
    ("cityscapes", "st"): "dataset/splits/cityscapes/val.txt",
    ("cityscapes", "cps"): "DATA/city/config_new/val.txt",
    ("voc", "u2pl"): "data/splits/pascal/val.txt",
    ("cityscapes", "u2pl"): "data/splits/cityscapes/val.txt",
    ("voc", "cac"): "dataloaders/voc_splits0/val.txt",
    ("cityscapes", "cac"): "dataloaders/city_splits0/val.txt",
}
VAL_OF = {("voc", "cps"): ("voc", "unimatch")}

_THEIRS = {"voc": "pascal", "cityscapes": "cityscapes", "coco": "coco"}


def _unimatch():
    names = {"voc": "92 183 366 732 1464 1_16 1_8 1_4 u2pl_1_16 u2pl_1_8 "
             "u2pl_1_4", "cityscapes": "1_30 1_16 1_8 1_4 1_2"}
    for dataset, listed in names.items():
        for name in listed.split():
            folder = f"splits/{_THEIRS[dataset]}/{name}"
            yield Published(dataset, "unimatch", name,
                            f"{folder}/labeled.txt",
                            (f"{folder}/unlabeled.txt",))
    for name in ["1_512", "1_256", "1_128", "1_64", "1_32"]:
        yield Published("coco", "unimatch", name,
                        f"splits/coco/{name}/labeled.txt", (), "train2017")
    yield Published("voc", "unimatch", "full", "splits/pascal/train_aug.txt",
                    ())


def _st():
    # The other lists of 183, 366 and 732 are empty files.
    names = {"voc": {"92": 3, "183": 1, "366": 1, "732": 1, "1_16": 3,
                     "1_8": 3, "1_4": 3},
             "cityscapes": {"1_30": 3, "1_8": 3, "1_4": 3}}
    for dataset, listed in names.items():
        top = f"dataset/splits/{_THEIRS[dataset]}"
        for name, count in listed.items():
            for i in range(count):
                folder = f"{top}/{name}/split_{i}"
                yield Published(dataset, "st", f"{name}_{i}",
                                f"{folder}/labeled.txt",
                                (f"{folder}/unlabeled.txt",))
    folder = "dataset/splits/pascal/1.4k"
    yield Published("voc", "st", "1464", f"{folder}/labeled.txt",
                    (f"{folder}/unlabeled.txt",))


def _cps():
    voc = "DATA/pascal_voc/subset_train_aug"
    city = "DATA/city/config_new"
    everything = tuple(f"{voc}/train_aug_{part}_1-8.txt"
                       for part in ("labeled", "unlabeled"))
    for k in (16, 8, 4, 2):
        for dataset, top in (("voc", voc), ("cityscapes",
                                            f"{city}/subset_train")):
            yield Published(dataset, "cps", f"1_{k}",
                            f"{top}/train_aug_labeled_1-{k}.txt",
                            (f"{top}/train_aug_unlabeled_1-{k}.txt",))
        few = f"{voc}/pseudoseg_labeled_1-{k}.txt"
        yield Published("voc", "cps", f"pseudoseg_1_{k}", few,
                        (f"{voc}/pseudoseg_unlabeled_1-{k}.txt",))
        yield Published("voc", "cps", f"pseudoseg_1_{k}_all", few, everything)
    yield Published("cityscapes", "cps", "full", f"{city}/train.txt", ())
    for count in (3000, 6000, 9000):
        yield Published("cityscapes", "cps", f"full_extra_{count}",
                        f"{city}/train.txt",
                        (f"{city}/coarse_split/train_extra_{count}.txt",))
    yield Published("cityscapes", "cps", "train_val", f"{city}/train_val.txt",
                    (f"{city}/test.txt",))


def _u2pl():
    names = {"voc": "92 183 366 732 1464 662 1323 2646 5291",
             "cityscapes": "186 372 744 1488"}
    for dataset, listed in names.items():
        for name in listed.split():
            folder = f"data/splits/{_THEIRS[dataset]}/{name}"
            yield Published(dataset, "u2pl", name, f"{folder}/labeled.txt",
                            (f"{folder}/unlabeled.txt",))


def _cac():
    few = {n: str(n) for n in (60, 100, 200, 300, 500, 800, 1000, 1464)}
    shares = {662: "1_16", 1323: "1_8", 2645: "1_4"}
    city = {372: "1_8", 744: "1_4", 2975: "full"}
    for dataset, folder, lists in (
            ("voc", "voc_splits", ({**few, **shares}, shares, shares)),
            ("cityscapes", "city_splits", (city, city, city))):
        for i, names in enumerate(lists):
            for count, name in names.items():
                start = f"dataloaders/{folder}{i}/{count}_train_"
                yield Published(dataset, "cac", f"{name}_{i}",
                                f"{start}supervised.txt",
                                (f"{start}unsupervised.txt",))


def official(dataset, line):
    """Image and mask of a source's line, as the official layout names them.

    Args:
        dataset (str): voc, cityscapes or coco.
        line (str): "2007_000032", "image mask" or "image<TAB>mask".
    """
    *folders, name = line.split()[0].strip("/").split("/")
    stem = name.split(".")[0]
    if dataset == "voc":
        return f"JPEGImages/{stem}.jpg", f"SegmentationClassAug/{stem}.png"
    if dataset == "coco":
        return f"{folders[0]}/{name}", f"masks/{folders[0]}/{stem}.png"
    # leftImg8bit/train/aachen/X_leftImg8bit.png, or images/train/X.png
    part, stem = folders[1], stem.replace("_leftImg8bit", "")
    where = f"{part}/{stem.split('_')[0]}/{stem}"
    kind = "gtCoarse" if part == "train_extra" else "gtFine"
    return (f"leftImg8bit/{where}_leftImg8bit.png",
            f"{kind}/{where}_{kind}_labelTrainIds.png")

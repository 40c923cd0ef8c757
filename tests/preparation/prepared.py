# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Run the preparation tools on miniatures, and look at what they made."""

import json

import numpy as np
from PIL import Image

from tools import prepare_camvid, prepare_cityscapes, prepare_coco, prepare_voc

TOOLS = {"voc": prepare_voc, "cityscapes": prepare_cityscapes,
         "coco": prepare_coco, "camvid": prepare_camvid}


def prepare(name, downloads, root, *options, workers=0):
    """Run a tool; a miniature has fewer images than the dataset."""
    TOOLS[name].main(["--from", str(downloads), "--save_dir", str(root),
                      "--num_workers", str(workers), "--partial", *options])


def mask(path):
    image = Image.open(path)
    assert image.mode == "L"
    return np.array(image)


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def digests(root):
    return {name: found["sha256"] for name, found in json.loads(
        (root / "prepared.json").read_text())["lists"].items()}


def files(root):
    """Relative names of all files, sorted."""
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*")
                  if p.is_file())

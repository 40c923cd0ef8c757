# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A staged run of seconds over generated scenes."""

import yaml

from tests.support import tiny


def config(folder, kind, sizes=(4, 8, 4), stages=None, **changes):
    """Write a configuration with the stages of a base; returns its path.

    Args:
        folder (Path): for the file and the generated images.
        kind (str): a file of configs/_base_/stages.
        sizes (sequence): labelled, unlabelled and validation images.
        stages (dict, optional): stage -> keys to replace in it.
        changes: top-level keys to replace; None takes one out.
    """
    changes = {"method": {"type": "Supervised"}, **changes}
    path = tiny.config(folder, **changes)
    tree = {k: v for k, v in yaml.safe_load(path.read_text()).items()
            if v is not None}
    base = tiny.ROOT / "configs" / "_base_" / "stages" / f"{kind}.yml"
    tree["stages"] = yaml.safe_load(base.read_text())["stages"]
    for name, keys in (stages or {}).items():
        tree["stages"][name].update(keys)
    for section in ("train_dataset", "unlabeled_dataset", "val_dataset"):
        tree[section].update(zip(("labeled", "unlabeled", "val"), sizes))
    tree["unlabeled_dataset"].pop("masks")
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path

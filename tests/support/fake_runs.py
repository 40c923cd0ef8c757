# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders of trainings that nobody trained."""

import json

import numpy as np
import yaml

from contrib_semiseg.metrics.confusion import Scores
from contrib_semiseg.metrics.label_quality import LabelQuality

CLASSES = ["sky", "<road>"]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def diagnosis(it, right, weight, learned=True):
    """A row: `right` of 10 labels of the class sky."""
    quality = LabelQuality(2)
    label = np.zeros(10, int)
    label[right:] = 1
    quality.add(np.zeros(10, int), label, weight)
    return {"iter": it, "learned": learned, **quality.as_dict(CLASSES)}


def part(folder, *, mious=(0.3, 0.5, 0.4), rows=(), seed=0, finished=True,
         seconds=60.0, memory=500.0, step_seconds=(0.5, 9.0, 0.7), labeled=12):
    """One training without stages: its records."""
    folder.mkdir(parents=True)
    total = 2 * len(mious)
    info = {"command": "python train.py --config <b>x</b>.yml", "seed": seed,
            "started": "2026-01-01T00:00:00+00:00", "iterations": total,
            "versions": {"paddle": "3"}, "device": "cpu", "threads": "1",
            "machine": "m", "processes": 1, "images": {"labeled": labeled},
            "step": total if finished else 2, "finished": finished,
            "seconds": seconds, "peak_memory_mb": memory, "sessions": [
                {"from": 0, "to": total, "command": "python train.py"}]}
    (folder / "run.json").write_text(json.dumps(info))
    (folder / "scalars.jsonl").write_text(lines(
        {"iter": 2 * k + 2, "epoch": 1, "loss": 1 / (k + 1), "loss_sup": 0.5,
         "mask_ratio": k / 10, "lr": 0.1, "batch_seconds": value,
         "memory_mb": 400} for k, value in enumerate(step_seconds)))
    matrix = np.array([[6, 2], [1, 3]])
    (folder / "evaluations.jsonl").write_text(lines(
        {"iter": 2 * k + 2, **Scores(matrix, CLASSES).as_dict(),
         "miou": miou, "confusion": matrix.tolist()}
        for k, miou in enumerate(mious)))
    if rows:
        (folder / "diagnosis.jsonl").write_text(lines(rows))
    return info


def run(folder, *, config="configs/m/m_toy.yml", recipe=None, **options):
    """A run without stages."""
    info = part(folder, **options)
    (folder / "run.json").write_text(json.dumps({**info, "config": config}))
    (folder / "config.yml").write_text(yaml.safe_dump(
        {"seed": info["seed"], "save_dir": str(folder), "batch_size": 4,
         "save_interval": 2, **(recipe or {})}))


def staged_run(folder, *, seed=0, config="configs/st/st_toy.yml"):
    """A teacher, masks in two stages, and a student."""
    part(folder / "teacher", mious=(0.2,), seed=99, memory=900)
    for name, right in (("labels", 8), ("more", 4)):
        (folder / name).mkdir()
        (folder / name / "diagnosis.jsonl").write_text(
            lines([diagnosis(0, right, 1.0)]))
    part(folder / "student", mious=(0.3, 0.6), seed=98,
         rows=[diagnosis(4, 1, 0.5, learned=False)])
    kinds = {"teacher": "Train", "labels": "Label", "more": "Label",
             "student": "Train"}
    (folder / "run.json").write_text(json.dumps({
        "command": "python train.py", "seed": seed, "config": config,
        "finished": True, "stages": {name: {"kind": kind, "seconds": 30.0}
                                     for name, kind in kinds.items()}}))
    (folder / "config.yml").write_text(yaml.safe_dump(
        {"seed": seed, "batch_size": 4, "save_interval": 2}))


def entry(folder, method, seed, dataset="toy", split=None):
    """Say that a run belongs to a comparison."""
    (folder / "comparison.json").write_text(json.dumps({
        "method": method, "seed": seed, "dataset": dataset, "split": split,
        "config": f"configs/{method}/{method}_{dataset}.yml"}))

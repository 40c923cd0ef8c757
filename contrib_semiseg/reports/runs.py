# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Trained runs as they lie on the disk: what they are and what they reached.

Nothing here imports Paddle, so that it can wait beside trainings.
"""

import functools
import statistics
from pathlib import Path

import numpy as np
import yaml

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.cvlibs.json_rows import (
    DIAGNOSIS,
    EVALUATIONS,
    RUN,
    SCALARS,
    read_json,
    read_rows,
)
from contrib_semiseg.metrics.label_quality import ROWS, LabelQuality

# Keys in which runs of one recipe may differ.
FREE = {"seed", "save_dir", "device", "num_workers", "cache_dir", "use_vdl",
        "keep_checkpoint_max", "image_interval", "log_iters",
        "diagnose_images", "diagnose_interval"}


def numbers(rows, key):
    """(iterations, values) of the rows that have a number under a key."""
    found = [(row["iter"], row[key]) for row in rows if
             isinstance(row.get(key), (int, float))
             and isinstance(row.get("iter"), (int, float))]
    return [i for i, _ in found], [v for _, v in found]


class Part:
    """One training: a run, or a stage of one.

    Attributes:
        folder (Path), name (str): where it is; "" for a run without stages.
        info (dict): of run.json.
        scalars, evaluations, diagnosis (list of dict): their rows.
    """

    def __init__(self, folder, name=""):
        self.folder, self.name = Path(folder), name
        self.info = read_json(self.folder / RUN)
        self.scalars = read_rows(self.folder / SCALARS)
        self.evaluations = [row for row in read_rows(
            self.folder / EVALUATIONS) if row.get("miou") is not None]
        self.diagnosis = read_rows(self.folder / DIAGNOSIS)

    @property
    def step_seconds(self):
        """Median seconds of an iteration, None if none is known."""
        _, values = numbers(self.scalars, "batch_seconds")
        return statistics.median(values) if values else None


class Run:
    """A run with or without stages; the last training is what counts.

    Args:
        folder (str or Path): the SAVE_DIR of a training.
    Raises: DataError if there is no run.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        if not (self.folder / RUN).is_file():
            raise DataError(f"{folder} holds no {RUN}; allowed: the save_dir "
                            "of a training")
        self.info = read_json(self.folder / RUN)
        self.stages = list(self.info.get("stages") or {})
        folders = [self.folder / name for name in self.stages]
        self.parts = [Part(f, f.name) for f in folders
                      if (f / RUN).is_file()] if self.stages else \
            [Part(self.folder)]
        self.labels = [rows for f in folders if not (f / RUN).is_file()
                       and (rows := read_rows(f / DIAGNOSIS))]

    @functools.cached_property
    def config(self):
        """The merged configuration: a dict."""
        path = self.folder / "config.yml"
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        # Of a damaged file PyYAML may make nearly any exception.
        except Exception as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        return tree if isinstance(tree, dict) else {}

    @property
    def recipe(self):
        """A text that runs of equal configuration but the seed share."""
        return yaml.safe_dump({k: v for k, v in self.config.items()
                               if k not in FREE}, sort_keys=True)

    @property
    def title(self):
        """The name of its configuration file."""
        return Path(str(self.info.get("config") or self.folder.name)).stem

    @property
    def main(self):
        """The training whose network is the result, or None."""
        return self.parts[-1] if self.parts else None

    @property
    def seed(self):
        return self.info.get("seed")

    @property
    def finished(self):
        return bool(self.info.get("finished")) and bool(self.evaluations)

    @property
    def evaluations(self):
        return self.main.evaluations if self.main else []

    @property
    def last(self):
        """mIoU of the last network, None without an evaluation."""
        return self.evaluations[-1]["miou"] if self.evaluations else None

    @property
    def best(self):
        """mIoU of the best one among those evaluated."""
        return max((row["miou"] for row in self.evaluations), default=None)

    @property
    def class_iou(self):
        """Class -> IoU of the last network, None where undefined."""
        return dict(self.evaluations[-1].get("class_iou") or {}) if \
            self.evaluations else {}

    @property
    def iterations(self):
        """(of the training that counts, of all trainings together)."""
        each = [p.info.get("iterations") or 0 for p in self.parts] or [0]
        return each[-1], sum(each)

    @property
    def labeled(self):
        """Number of labelled images."""
        return (self.main.info.get("images") or {}).get("labeled") if \
            self.main else None

    @property
    def seconds(self):
        """Of training, labelling and evaluation, in all."""
        stages = [s.get("seconds") or 0 for s in
                  (self.info.get("stages") or {}).values()]
        return sum(stages) if stages else self.info.get("seconds")

    @property
    def memory_mb(self):
        peaks = [p.info["peak_memory_mb"] for p in self.parts
                 if p.info.get("peak_memory_mb")]
        return max(peaks) if peaks else None

    @functools.cached_property
    def quality(self):
        """The last diagnosis: figures of `LabelQuality`, or None.

        Of a run in stages, of all masks that it wrote.
        """
        found = [rows[-1] for rows in self.labels]
        if not found and self.main and self.main.diagnosis:
            found = self.main.diagnosis[-1:]
        found = [row for row in found if isinstance(row.get("counts"), dict)]
        if not found:
            return None
        counts = sum(np.array([row["counts"][name] for name in ROWS])
                     for row in found)
        quality = LabelQuality(counts.shape[1], counts=counts)
        return {**quality.as_dict(found[0]["class_coverage"]),
                "learned": any(row.get("learned") for row in found)}


def mean_and_deviation(values):
    """(mean, sample deviation) of numbers; None where there are too few."""
    values = [v for v in values if v is not None]
    return (statistics.fmean(values) if values else None,
            statistics.stdev(values) if len(values) > 1 else None)


def told(values, digits=2, factor=1.0, sign=""):
    """Numbers in short: "41.20 ± 0.31", or "-" if there are none.

    Args:
        values (sequence): numbers or None.
        digits (int): after the point.
        factor (float): on each.
        sign (str): "+" for one that is always shown.
    """
    mean, deviation = mean_and_deviation(values)
    if mean is None:
        return "-"
    text = f"{mean * factor:{sign}.{digits}f}"
    return text if deviation is None else \
        f"{text} ± {deviation * factor:.{digits}f}"

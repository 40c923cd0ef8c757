# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""How right pseudo-labels are, where the truth happens to be known.

Training never sees that truth, and is the same with and without a diagnosis.
"""

import time
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs.errors import ConfigError
from contrib_semiseg.cvlibs.json_rows import DIAGNOSIS
from contrib_semiseg.datasets.truth import with_truth
from contrib_semiseg.engine import distributed
from contrib_semiseg.engine.console import say
from contrib_semiseg.engine.hooks import Hook
from contrib_semiseg.engine.inference import eval_mode
from contrib_semiseg.engine.records import Rows
from contrib_semiseg.metrics.label_quality import LabelQuality


def spread(count, length):
    """`count` places, or all, evenly over a list of `length`: int64 rising."""
    return np.arange(min(count, length)) * length // max(
        1, min(count, length))


def told(figures):
    """The figures of a LabelQuality in words."""
    text = {name: "-" if figures[name] is None else f"{figures[name]:.4f}"
            for name in ("coverage", "precision", "accuracy")}
    return (f"pseudo-labels: coverage {text['coverage']}, precision "
            f"{text['precision']}, accuracy of all {text['accuracy']}")


class DiagnosisHook(Hook):
    """Coverage and precision of a method's pseudo-labels, by class.

    Whole unlabelled images, as validation shows them, are labelled in eval
    mode by `Method.pseudo_labels` and compared with their masks. Images are
    shared out to the processes. Draws nothing and leaves every weight,
    statistic, memory and layer's mode as it is.

    Args:
        every (int): steps between two diagnoses; the last step has one too.
        dataset (SegDataset): unlabelled images with their truth, see
            `with_truth`.
        count (int): images, evenly over the data set.
        pad_multiple (int): sides are padded to multiples of it.
        save_dir (str): gets diagnosis.jsonl.
        learned (bool): whether training learns from unlabelled images;
            where not, the figures are of labels that nobody learned from.
        writer (LogWriter, optional): VisualDL.
    """

    def __init__(self, *, every, dataset, count, save_dir, pad_multiple=1,
                 learned=True, writer=None):
        self.every, self.dataset, self.writer = every, dataset, writer
        self.images = spread(count, len(dataset)).tolist()
        self.pad_multiple, self.learned = pad_multiple, learned
        self.rows = Rows(Path(save_dir) / DIAGNOSIS)

    def before_training(self, trainer, start_step):
        self.rows.resume(start_step)

    def after_step(self, trainer, step, terms):
        done = step.it + 1
        if done % self.every and done != step.total:
            return
        began = time.perf_counter()
        quality = self.measure(trainer.method, step)
        figures = quality.as_dict(self.dataset.class_names)
        self.rows.append({"iter": done, "images": len(self.images),
                          "learned": self.learned, **figures})
        say(f"[DIAGNOSIS] iter: {done}, {told(figures)}")
        if self.writer:
            self._draw(figures, done)
        trainer.aside_seconds += time.perf_counter() - began

    def measure(self, method, step):
        """The LabelQuality over the images of all processes."""
        data = self.dataset
        quality = LabelQuality(data.num_classes, data.ignore_index)
        with eval_mode(method), paddle.no_grad():
            for index in self.images[distributed.rank()::
                                     distributed.world()]:
                item = data.item(index, np.random.default_rng(index))
                truth = item["label"]
                labels = method.pseudo_labels(self._input(item["img"]), step)
                if not labels:
                    quality.add(truth)
                for label, weight in labels:
                    quality.add(truth, self._map(label, truth.shape),
                                self._map(weight, truth.shape))
        quality.counts = distributed.sum_array(quality.counts)
        return quality

    def _input(self, image):
        """[3, h, w] as a batch, its sides brought to multiples."""
        sides = [(0, -side % self.pad_multiple) for side in image.shape[1:]]
        if any(after for _, after in sides):
            image = np.pad(image, [(0, 0), *sides], "edge")
        return paddle.to_tensor(np.ascontiguousarray(image[None]))

    @staticmethod
    def _map(values, shape):
        """A label or weight of the only image: [h, w], or one number."""
        values = np.asarray(values)
        return values if values.ndim < 2 else \
            values.reshape(values.shape[-2:])[:shape[0], :shape[1]]

    def _draw(self, figures, done):
        values = {name: figures[name] for name in (
            "coverage", "precision", "accuracy")}
        for kind in ("coverage", "precision"):
            values.update((f"{kind}_{name}", value) for name, value in
                          figures[f"class_{kind}"].items())
        for name, value in values.items():
            if value is not None:
                self.writer.add_scalar(f"pseudo_labels/{name}", value, done)


def truth_of(builder):
    """The unlabelled images of a configuration with the masks they have.

    Raises: ConfigError where they have none.
    """
    dataset = builder.unlabeled_dataset()
    if dataset is None:
        raise ConfigError(
            f"{builder.config.path}: diagnose_interval needs a section "
            "unlabeled_dataset, whose masks it compares pseudo-labels with; "
            "allowed without one: diagnose_interval: 0")
    return with_truth(dataset, builder.val_transforms())


def diagnose_masks(builder, labels, folder):
    """Compare written pseudo-labels with the truth; writes diagnosis.jsonl.

    Args:
        builder (Builder): of the run.
        labels (list of Label): see `labeling.write_labels`.
        folder (Path): of their masks.

    Returns: the figures of all of them, see `LabelQuality.as_dict`. Pixels
        of images that were not labelled do not count.
    """
    given = builder.unlabeled_dataset().with_masks(
        {row.image: str(folder / row.mask) for row in labels})
    truth = truth_of(builder)
    places = {truth.name(i): i for i in range(len(truth))}
    quality = LabelQuality(truth.num_classes, truth.ignore_index)
    for i in range(distributed.rank(), len(given), distributed.world()):
        quality.add(truth.read(places[given.name(i)])[1], given.read(i)[1],
                    1.0)
    quality.counts = distributed.sum_array(quality.counts)
    figures = quality.as_dict(truth.class_names)
    rows = Rows(folder / DIAGNOSIS)
    rows.resume(-1)  # what an earlier start of the stage wrote
    rows.append({"iter": 0, "images": len(given), "learned": True, **figures})
    say(f"[DIAGNOSIS] {folder.name}: {len(given)} images, {told(figures)}")
    return figures

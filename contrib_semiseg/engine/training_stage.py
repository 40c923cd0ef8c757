# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The stage that trains a new network, with or without pseudo-labels."""

import copy
import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.sections import find
from contrib_semiseg.cvlibs.weights import load_state
from contrib_semiseg.datasets.mixed import MixedDataset
from contrib_semiseg.engine import checkpoint, distributed, training
from contrib_semiseg.engine.hooks import Hook
from contrib_semiseg.engine.labeling import read_labels
from contrib_semiseg.engine.stages import Stage, names_digest

SNAPSHOTS = "snapshots"
# Beside `training.FREE_KEYS`: what the stage handles by itself.
_OWN_KEYS = {"stages", "unlabeled_dataset", "iters", "epochs", "seed"}
# What decides which network scores best.
_BEST_KEYS = ("do_eval", "save_interval", "test_config", "val_dataset")


def snapshot_points(length, parts):
    """Ends of equal parts of a training: rising integers, the last `length`.

    Source: ST++ (CVPR 2022), with three parts of the epochs; a length below
    the number of parts gives fewer points.
    """
    return sorted({length * k // parts for k in range(1, parts + 1)} - {0})


class SnapshotHook(Hook):
    """Keep the network at the ends of equal parts of the training.

    The last part ends with the run's last checkpoint and is not kept twice.

    Args:
        save_dir (str or Path): gets snapshots/iter_N/model.pdparams.
        parts (int): see `snapshot_points`.
        length (int): epochs, or iterations, of the training.
    """

    def __init__(self, *, save_dir, parts, length):
        self.save_dir = Path(save_dir)
        self.parts, self.length = parts, length
        self.steps = set()

    def before_training(self, trainer, start_step):
        unit = trainer.total_steps // self.length
        self.steps = {unit * point for point in
                      snapshot_points(self.length, self.parts)[:-1]}

    def after_step(self, trainer, step, terms):
        done = step.it + 1
        if done not in self.steps:
            return
        if distributed.rank() == 0:
            checkpoint.save_network(
                trainer.method.eval_network(),
                self.save_dir / SNAPSHOTS / f"iter_{done}" / checkpoint.MODEL)


def stage_seed(seed, name):
    """The seed of a stage: networks and draws of another are other ones."""
    words = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(words.generate_state(1)[0])


@manager.register(manager.STAGES)
class Train(Stage):
    """Train a network from its start, as the configuration says.

    With pseudo-labels the method sees one shuffled list: the labelled images
    of `train_dataset`, repeated until they are not fewer, and the images of
    `unlabeled_dataset` that have one, each with its section's transforms.

    Args:
        name (str): of the stage.
        pseudo_labels (list, optional): names of Label stages.
        snapshots (int): parts of the training after which the network is
            kept, for a Select stage; 0: none.
        double_below (int): without pseudo-labels, labelled lists shorter
            than this are listed twice in an epoch.
        iters, epochs (int, optional): length of this training; null: the
            configuration's.
    """

    @check.arguments
    def __init__(self, *, name,
                 pseudo_labels: check.ListOf(check.Text(),
                                             optional=True) = None,
                 snapshots: check.Range(0, integer=True) = 0,
                 double_below: check.Range(0, integer=True) = 200,
                 iters: check.Range(1, integer=True, optional=True) = None,
                 epochs: check.Range(1, integer=True, optional=True) = None):
        self.name, self.pseudo_labels = name, list(pseudo_labels or [])
        self.snapshots, self.double_below = snapshots, double_below
        self._length = {k: v for k, v in (("iters", iters),
                                          ("epochs", epochs)) if v}

    def needs(self):
        return self.pseudo_labels

    def check(self, context):
        config = context.config
        where = f"stages.{self.name}"
        if len(self._length) > 1:
            raise config.error(f"{where}.epochs", "stands beside "
                               f"{where}.iters; keep one of them")
        if self.pseudo_labels:
            self._check_labels(context)
        if self.wants_best(context) and not config.get("do_eval"):
            raise config.error(
                "do_eval", "has to be true where a stage takes the network of "
                f"the best score of {self.name} (weights: best)")

    def _check_labels(self, context):
        config, names = context.config, list(context.stages)
        earlier = [n for n in names[:names.index(self.name)]
                   if context.stages[n].makes_labels]
        for label in self.pseudo_labels:
            if label not in earlier:
                raise config.error(
                    f"stages.{self.name}.pseudo_labels",
                    f"names {label}, which is no Label stage before "
                    f"{self.name}; allowed: {', '.join(earlier) or 'none'}")
        if config.tree.get("unlabeled_dataset") is None:
            raise config.error("unlabeled_dataset", "is missing; stage "
                               f"{self.name} reads its images")
        method = config.get("method.type")
        others = {key.split(".")[0] for key in
                  find("method", method).requires} - {"labeled"}
        if others:
            raise config.error(
                "method.type", f"also reads {', '.join(sorted(others))} "
                "images; a stage with pseudo_labels needs a method that reads "
                "labelled ones alone")

    def wants_best(self, context):
        """Whether another stage reads the network of the best score."""
        return any(getattr(s, "network", None) == self.name and
                   getattr(s, "weights", None) == "best"
                   for s in context.stages.values())

    def length(self, config):
        """{"iters": N} or {"epochs": N} of this training."""
        return self._length or {k: config.tree[k] for k in
                                ("iters", "epochs") if k in config.tree}

    def own_config(self, context):
        """The configuration of this training alone: a Config."""
        config = copy.copy(context.config)
        config.tree = {k: v for k, v in config.tree.items()
                       if k not in ("stages", "iters", "epochs")}
        config.tree.update(
            self.length(context.config),
            save_dir=str(context.folder(self.name)),
            seed=stage_seed(config.get("seed", 0), self.name))
        return config

    def settings(self, context):
        config = context.config
        builder = Builder(config)
        used = {k: v for k, v in config.tree.items()
                if k not in training.FREE_KEYS | _OWN_KEYS}
        if self.wants_best(context):
            used.update((k, config.tree[k]) for k in _BEST_KEYS
                        if k in config.tree)
        found = {**used, **self.length(config), "seed": config.get("seed", 0),
                 "stage": {"snapshots": self.snapshots,
                           "double_below": self.double_below},
                 "labeled_images": _names(builder.train_dataset())}
        reads_unlabeled = {key.split(".")[0] for key in find(
            "method", config.get("method.type")).requires} - {"labeled"}
        if self.pseudo_labels or reads_unlabeled:
            found["unlabeled_dataset"] = config.tree["unlabeled_dataset"]
        if reads_unlabeled:
            found["unlabeled_images"] = _names(builder.unlabeled_dataset())
        return found

    def run(self, context):
        config, folder = self.own_config(context), context.folder(self.name)
        length, = self.length(config).values()
        hooks = [SnapshotHook(save_dir=folder, parts=self.snapshots,
                              length=length)] if self.snapshots else []
        # Paddle numbers the optimizer's arrays of a name that it has seen;
        # a checkpoint has to name them as one of a process of its own.
        with paddle.utils.unique_name.guard():
            training.train(
                config, "auto", extra_hooks=hooks,
                datasets=lambda *parts: self.datasets(context, *parts))
        kept = self.networks(context)
        if self.snapshots and len(kept) < len(snapshot_points(
                length, self.snapshots)):
            raise CheckpointError(f"{folder / SNAPSHOTS}: networks are "
                                  f"missing; remove {folder}")
        figures = {"iterations": int(kept[-1].parent.name.split("_")[1])}
        for name, path in (("miou", kept[-1]), ("best_miou", self.best(
                context))):
            scores = path.with_name("scores.json")
            if scores.is_file():
                figures[name] = round(json.loads(
                    scores.read_text(encoding="utf-8"))["miou"] or 0.0, 4)
        if self.wants_best(context):
            kept = [*kept, self.best(context)]
        return weights_digest(kept), figures

    def datasets(self, context, builder, requires):
        """See `training.make_datasets`."""
        datasets = training.make_datasets(builder, requires)
        pseudo = None
        if self.pseudo_labels:
            masks = {}
            for name in self.pseudo_labels:
                folder = context.folder(name)
                masks.update((row.image, str(folder / row.mask))
                             for row in read_labels(folder))
            pseudo = builder.unlabeled_dataset().with_masks(masks)
        datasets["labeled"] = MixedDataset(datasets["labeled"], pseudo,
                                           self.double_below)
        return datasets

    def networks(self, context):
        """Weights of the snapshots and, last, of the trained network."""
        folder = context.folder(self.name)
        kept = sorted((folder / SNAPSHOTS).glob(f"iter_*/{checkpoint.MODEL}"),
                      key=lambda p: int(p.parent.name.split("_")[1]))
        return [*kept, checkpoint.checkpoints(folder)[-1] / checkpoint.MODEL]

    def best(self, context):
        """Weights of the best score."""
        return context.folder(self.name) / "best_model" / checkpoint.MODEL


def weights_digest(paths):
    """SHA-256 over the values of networks, whatever made their files."""
    digest = hashlib.sha256()
    for path in paths:
        for name, value in sorted(load_state(str(path)).items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _names(dataset):
    return names_digest([dataset.name(i) for i in range(len(dataset))])

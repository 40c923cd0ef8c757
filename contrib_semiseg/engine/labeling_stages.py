# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The stages that look at unlabelled images: label them, select among them.
"""


from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.engine import diagnosis, distributed, labeling, trained
from contrib_semiseg.engine.checkpoint import write_file
from contrib_semiseg.engine.console import say
from contrib_semiseg.engine.stages import (
    Stage,
    files_digest,
    names_digest,
    reference,
)
from contrib_semiseg.engine.training_stage import Train, snapshot_points
from contrib_semiseg.metrics.reliability import most_reliable, reliability

SCORES = "scores.csv"
PARTS = ("reliable", "unreliable")
# Keys of unlabeled_dataset that only training reads.
_TRAINING_KEYS = {"transforms", "views", "crops", "masks", "list_resampling",
                  "joint_order", "same_image_mix"}
_LIST = "labels.txt"


class _Looking(Stage):
    """Base: runs networks of a Train stage over the unlabelled images."""

    def needs(self):
        return [self.network]

    def check(self, context):
        if context.config.tree.get("unlabeled_dataset") is None:
            raise context.config.error(
                "unlabeled_dataset", "is missing; stage "
                f"{self.name} reads its images")
        return reference(context, self, "network", Train)

    def settings(self, context):
        config = context.config
        data = {k: v for k, v in config.tree["unlabeled_dataset"].items()
                if k not in _TRAINING_KEYS}
        images = [name for _, name in _images(Builder(config))[0]]
        if len(set(images)) < len(images):
            twice = next(n for n in images if images.count(n) > 1)
            raise DataError(f"unlabeled_dataset: {twice} is listed twice; "
                            "allowed: each image once")
        return {"model": config.tree["model"],
                "num_classes": Builder(config).num_classes,
                "unlabeled_dataset": data,
                "transforms": config.get("val_dataset.transforms"),
                "test_config": self.test_config,
                "unlabeled_images": names_digest(images)}

    def inferencers(self, context, paths):
        """(Builder, an Inferencer for each file of weights)."""
        found, (images, read) = [], _images(Builder(context.config))
        for path in paths:
            builder, network = trained.build_network(context.config,
                                                     str(path))
            inferencer, note = trained.make_inferencer(
                network, {**self.test_config, "sum_softmax": True},
                transforms=builder.val_transforms(), engine=context.engine,
                first_picture=lambda: read(images[0][0]))
            found.append(inferencer)
        say(note)
        return builder, found


def _images(builder):
    """(path, name) of every unlabelled image, and what reads a path."""
    dataset = builder.unlabeled_dataset()
    return [(row.image, row.name) for row in dataset.rows], dataset.read_image


@manager.register(manager.STAGES)
class Select(_Looking):
    """Cut the unlabelled images in half by the stability of their labels.

    Writes scores.csv, reliable.txt and unreliable.txt: names of images, the
    most reliable first.

    Args:
        name (str): of the stage.
        network (str): a Train stage with snapshots, see `reliability`.
        test_config (dict, optional): as at the top of the configuration;
            null: one pass over the whole image.
    """

    @check.arguments
    def __init__(self, *, name, network: check.Text(), test_config=None):
        self.name, self.network = name, network
        self.test_config = dict(test_config or {})

    def check(self, context):
        train = super().check(context)
        length, = train.length(context.config).values()
        if len(snapshot_points(length, train.snapshots)) < 2:
            raise context.config.error(
                f"stages.{self.network}", f"keeps no earlier network for "
                f"stage {self.name}; set snapshots: 3, and train for 3 epochs "
                "or iterations at least")

    def run(self, context):
        train = context.stages[self.network]
        paths = train.networks(context)
        builder, inferencers = self.inferencers(context, paths)
        images, read = _images(builder)
        folder = context.folder(self.name)
        lines = labeling.Lines(folder / SCORES, [
            "image", "reliability",
            *(f"agreement_{p.parent.name}" for p in paths[:-1])])
        for i, image in labeling.share_out(
                images, set(lines.read()), read, title="scoring",
                workers=context.config.get("num_workers", 1)):
            if isinstance(image, DataError):
                raise image
            maps = [inferencer(image)[0] for inferencer in inferencers]
            score, each = reliability(maps, builder.num_classes)
            lines.append([images[i][1], repr(score),
                          *(repr(float(v)) for v in each)])
        names = [name for _, name in images]
        lines.finish(names)
        scores = [float(row[1]) for row in lines.read().values()]
        chosen = most_reliable(scores)
        if distributed.rank() == 0:
            for part, indices in zip(PARTS, chosen):
                write_file(folder / f"{part}.txt", "".join(
                    f"{names[i]}\n" for i in indices).encode())
        distributed.fence()
        return files_digest([folder / SCORES]), {
            part: len(indices) for part, indices in zip(PARTS, chosen)}


@manager.register(manager.STAGES)
class Label(_Looking):
    """Write masks of unlabelled images; their own masks are never opened.

    Writes masks/, labels.csv and labels.txt, see `labeling.write_labels`.
    Probabilities are summed over windows, flips and scales.

    Args:
        name (str): of the stage.
        network (str): a Train stage.
        weights (str): "last": its network at the end; "best": that of the
            best validation score, which lets validation labels into the
            pseudo-labels, as the ST release does.
        selection (str, optional): a Select stage; null: all images.
        part (str): "reliable" or "unreliable" images of the selection.
        min_confidence (float): pixels of a smaller mean probability are
            ignored; 0: none is.
        test_config (dict, optional): as at the top of the configuration;
            null: one pass over the whole image.
    """

    makes_labels = True

    @check.arguments
    def __init__(self, *, name, network: check.Text(),
                 weights: check.OneOf("last", "best") = "last",
                 selection: check.Text(optional=True) = None,
                 part: check.OneOf(*PARTS) = "reliable",
                 min_confidence: check.PROBABILITY = 0.0, test_config=None):
        self.name, self.network, self.weights = name, network, weights
        self.selection, self.part = selection, part
        self.min_confidence = min_confidence
        self.test_config = dict(test_config or {})

    def needs(self):
        return [self.network] + ([self.selection] if self.selection else [])

    def check(self, context):
        super().check(context)
        if self.selection is not None:
            reference(context, self, "selection", Select)

    def settings(self, context):
        return {**super().settings(context), "stage": {
            "weights": self.weights, "part": self.selection and self.part,
            "min_confidence": self.min_confidence}}

    def run(self, context):
        train = context.stages[self.network]
        path = (train.best(context) if self.weights == "best" else
                train.networks(context)[-1])
        builder, (inferencer,) = self.inferencers(context, [path])
        images, read = _images(builder)
        folder = context.folder(self.name)
        if self.selection is not None:
            chosen = set((context.folder(self.selection) / f"{self.part}.txt")
                         .read_text(encoding="utf-8").splitlines())
            images = [pair for pair in images if pair[1] in chosen]
        labels, _ = labeling.write_labels(
            inferencer, images, read=read, folder=folder,
            palette=trained.palette_of(context.config),
            ignore_index=builder.ignore_index,
            min_confidence=self.min_confidence,
            workers=context.config.get("num_workers", 1))
        if distributed.rank() == 0:
            write_file(folder / _LIST, labeling.labels_list(
                labels, images, folder, folder).encode())
        mean = sum(row.confidence for row in labels) / max(1, len(labels))
        figures = {"images": len(labels), "confidence": round(mean, 4)}
        if context.config.get("diagnose_interval"):
            found = diagnosis.diagnose_masks(builder, labels, folder)
            figures.update({k: round(found[k], 4) for k in (
                "coverage", "precision") if found[k] is not None})
        return files_digest([folder / labeling.LABELS]), figures

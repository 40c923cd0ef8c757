# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""CTT: samples as its recipes make them, lists, scores and evaluation."""

import tempfile
from pathlib import Path

import numpy as np
import paddle
from PIL import Image

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.datasets import splitting
from contrib_semiseg.datasets.label_ids import class_table
from contrib_semiseg.engine.evaluator import evaluate
from contrib_semiseg.engine.inference import Inferencer, eager_forward
from contrib_semiseg.losses.cross_entropy import cross_entropy
from contrib_semiseg.metrics.confusion import Scores, confusion
from tests.golden.case import handles
from tests.support.recorded import Recorded

BASES = Path(__file__).resolve().parents[3] / "configs/_base_/datasets"


def recipe(name, folder, **changes):
    """A base of datasets whose labelled images are those of a folder."""
    tree = Config.load(BASES / f"{name}.yml").tree
    tree["train_dataset"] = {
        "type": "ListDataset", "dataset_root": str(folder), "list_file":
        "list.txt", "transforms": tree["train_dataset"]["transforms"],
        **changes}
    return tree


def with_crop(transforms, size):
    """The transforms with another size (height, width) of the crop."""
    return [{**op, "crop_size": list(size[::-1])} if "crop_size" in op else op
            for op in transforms]


def sample(tree, image, mask, draws):
    """An item of image and mask (arrays), with draws by transform name."""
    root = Path(tree["train_dataset"]["dataset_root"])
    Image.fromarray(image).save(root / "image.png")
    Image.fromarray(mask).save(root / "mask.png")
    (root / "list.txt").write_text("image.png mask.png")
    dataset = Builder(Config(tree)).train_dataset()
    for op in dataset.transforms:
        name = type(op).__name__
        if name in draws:
            op.draw = lambda *_, name=name: draws[name]
    return dataset.item(0, np.random.default_rng(0))


@handles("ctt", "voc_pipeline")
def voc_sample(case):
    size = case.params["crop"]
    with tempfile.TemporaryDirectory() as folder:
        tree = recipe("voc_ctt_321", folder)
        ops = tree["train_dataset"]["transforms"]
        # Its mirror, which the published runs leave out, would come last.
        tree["train_dataset"]["transforms"] = [
            *with_crop(ops, size), {"type": "RandomMirror"}]
        factors = ops[0]["factors"]
        assert len(factors) == 12 and ops[1]["crop_size"] == [321, 321]
        for j, (k, top, left, coin) in enumerate(case["in_draws"].tolist()):
            # There an image is decoded as BGR.
            item = sample(tree, case[f"in_image_{j}"][:, :, ::-1],
                          case[f"in_label_{j}"], {
                              "RandomScale": factors[k],
                              "PadRandomCrop": (top, left),
                              "RandomMirror": coin == 0})
            case.check(f"out_image_{j}", item["img"])
            case.check(f"out_label_{j}", item["label"], atol=0, rtol=0)


@handles("ctt", "city_pipeline")
def city_sample(case):
    table = case["out_id_table"]
    case.check("out_id_table", class_table(
        "cityscapes", int(table.max()))[:len(table)])
    whole, crop = case.params["resize_to"], case.params["crop"]
    top, left = case["in_crop_yx"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        tree = recipe("cityscapes_ctt_512", folder, mask_ids="cityscapes",
                      ignore_index=int(table.max()))
        tree["val_dataset"] = tree["unlabeled_dataset"] = None
        ops = tree["train_dataset"]["transforms"]
        for size, corner, suffix in ((whole, (0, 0), "_resized"),
                                     (crop, (top, left), "")):
            tree["train_dataset"]["transforms"] = with_crop(ops, size)
            item = sample(tree, case["in_image"], case["in_label_ids"],
                          {"PadRandomCrop": corner})
            case.check(f"out_image{suffix}", item["img"])
            case.check(f"out_label{suffix}", item["label"], atol=0, rtol=0)


@handles("ctt", "metric")
def metric(case):
    for tag in ("", "2"):
        scores = Scores(confusion(case[f"in_pred{tag}"], case[f"in_gt{tag}"],
                                  case.params["C"]))
        if not tag:
            case.check("out_confusion", scores.matrix)
            case.check("out_miou", scores.miou)
        case.check(f"out_iou{tag}", scores.iou)
        # Ours leaves out a class that is nowhere; there the mean is NaN.
        case.check(f"out_miou{tag}", scores.iou.mean())


class _Images:
    """A validation set of arrays; the images only have a size."""

    def __init__(self, labels, classes, ignore_index, factor=1):
        self.labels = [label.repeat(factor, 0).repeat(factor, 1)
                       for label in labels]
        self.num_classes, self.ignore_index = classes, ignore_index
        self.class_names = None

    def __len__(self):
        return len(self.labels)

    def read(self, index):
        label = self.labels[index]
        return np.zeros((*label.shape, 3), np.uint8), label

    name = str


def _labels(case):
    return [case[f"in_label_{j}"] for j in range(len(case["in_logits"]))]


def _score(case, dataset, transforms, options):
    """mIoU of recorded scores under test options; returns the network."""
    scores = case.tensor("in_logits").unsqueeze(1)
    network = Recorded(*scores)
    found = evaluate(Inferencer(forward=eager_forward(network),
                                transforms=transforms, **options), dataset)
    case.check("out_miou", found.iou.mean())
    return network


def _mean_loss(case, network, labels):
    """The mean over images of the loss at the size of the labels."""
    losses = []
    for scores, label in zip(case.tensor("in_logits"), labels):
        logits = network.enlarge(scores.unsqueeze(0), label.shape)
        losses.append(float(cross_entropy(
            logits, paddle.to_tensor(label[None].astype(np.int64)),
            case.params["ignore"])))
    return np.mean(losses)


@handles("ctt", "eval_voc")
def voc_scores(case):
    ignore, size = case.params["ignore"], case.params["size"]
    tree = Config.load(BASES / "voc_ctt_321.yml").tree
    assert tree["test_config"] == {"pad_to": [505, 505]}
    builder = Builder(Config(tree))
    labels = _labels(case)
    network = _score(
        case, _Images(labels, case["in_logits"].shape[1], ignore),
        builder.val_transforms(), {"pad_to": size[::-1]})
    padded = [np.pad(label, [(0, side - own) for side, own in
                             zip(size, label.shape)], constant_values=ignore)
              for label in labels]
    case.check("out_mean_loss", _mean_loss(case, network, padded))
    for image in network.inputs:
        assert image.shape[2:] == list(size)


@handles("ctt", "eval_city")
def city_scores(case):
    ignore, size = case.params["ignore"], case.params["size"]
    tree = Config.load(BASES / "cityscapes_ctt_512.yml").tree
    assert tree["test_config"] == {"score_size": [1024, 512]}
    labels = _labels(case)
    # Images and masks come at twice the size.
    network = _score(
        case, _Images(labels, case["in_logits"].shape[1], ignore, 2),
        Builder(Config(tree)).val_transforms(), {"score_size": size[::-1]})
    case.check("out_mean_loss", _mean_loss(case, network, labels))
    for image in network.inputs:
        assert image.shape[2:] == list(size)


@handles("ctt", "splits")
def splits(case):
    for name in ("voc_split0", "voc_split1", "voc_split2", "city_split0"):
        order = case[f"out_{name}"].astype(np.int64)
        rows = [f"{i:05d}" for i in range(len(order))]
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/order.npy", order)
            found = splitting.read_order(f"{folder}/order.npy", len(order))
        labeled, unlabeled = splitting.divide(rows, found, 212)
        assert len(labeled) == 212
        case.check(f"out_{name}", np.array([
            int(row) for row in labeled + unlabeled]))
    rng, law = np.random.default_rng(0), []
    for count, draws in ((92, 10000), (10490, 300)):
        sizes = [len(set(splitting.redraw(range(count), rng)))
                 for _ in range(draws)]
        law.append([np.mean(sizes), np.std(sizes)])
    (mean, spread), theirs = np.array(law).T, case["out_bootstrap_law"]
    case.check("out_bootstrap_law", np.array(law), rtol=0.15, atol=0)
    for ours, other, width, draws in zip(mean, theirs[:, 0], spread,
                                         (10000, 300)):
        assert abs(ours - other) < 4 * width * np.sqrt(2 / draws)

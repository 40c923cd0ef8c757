# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Validation pictures that a run does best and worst, with their errors."""

import dataclasses

import numpy as np

from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import CheckpointError, DataError
from contrib_semiseg.cvlibs.schema import EVALUATE, check_config
from contrib_semiseg.engine import checkpoint, evaluator, pictures, trained
from contrib_semiseg.engine.inference import merge_options
from contrib_semiseg.metrics.confusion import Scores, confusion

_RIGHT, _WRONG = (232, 232, 232), (200, 40, 40)


@dataclasses.dataclass
class Shown:
    """A picture: its name, its mIoU, and its panel uint8 [H, W, 3]: the
    image, the truth, the prediction and the errors, side by side.
    """

    name: str
    miou: float
    panel: np.ndarray


def error_map(predicted, label, known):
    """Grey where right, red where wrong, white where the truth is not known.

    Args:
        predicted, label (ndarray): integers [H, W].
        known (ndarray): bool [H, W].

    Returns: uint8 [H, W, 3].
    """
    out = np.full((*label.shape, 3), 255, np.uint8)
    out[known] = _RIGHT
    out[known & (predicted != label)] = _WRONG
    return out


def last_network(run):
    """The weights of a run's last checkpoint."""
    found = checkpoint.checkpoints(run.main.folder)
    if not found:
        raise CheckpointError(f"{run.main.folder} holds no checkpoint, of "
                              "which --pictures could show anything; allowed "
                              "without one: --pictures 0")
    return found[-1] / checkpoint.MODEL


def extremes(run, count, engine="auto", opts=()):
    """Pictures of the validation set: the best and the worst ones.

    Args:
        run (Run): whose last network is asked.
        count (int): of each; fewer if the set is small, so that none is
            among both.
        engine (str): see `choose_engine`.
        opts (sequence of str): KEY=VALUE on its configuration, such as
            where the data lies.

    Returns: (best, worst): lists of Shown, the most extreme first.
    """
    config = Config.load(run.main.folder / "config.yml", list(opts))
    check_config(config, EVALUATE)
    builder, network = trained.build_network(config, str(last_network(run)))
    data = builder.val_dataset()
    inferencer, _ = trained.make_inferencer(
        network, merge_options(config.get("test_config"), {}),
        transforms=data.transforms, engine=engine,
        first_picture=lambda: data.read(0)[0])

    def look(index):
        image, label = data.read(index)
        if label is None:
            raise DataError(f"{data.name(index)} has no mask")
        image, label = map(inferencer.evaluated, (image, label))
        return image, label, inferencer(image, label.shape)[0]

    scores = []
    for index in evaluator.progress(range(len(data)), len(data), "pictures"):
        _, label, predicted = look(index)
        scores.append(Scores(confusion(predicted, label, data.num_classes,
                                       data.ignore_index)).miou)
    order = [i for i in np.argsort(scores, kind="stable")
             if np.isfinite(scores[i])]
    count = min(count, len(order) // 2)

    def shown(index):
        image, label, predicted = look(index)
        known = ((label != data.ignore_index) & (label < data.num_classes))
        return Shown(data.name(index), float(scores[index]), pictures.panel([[
            image, pictures.colorize(label, data.palette),
            pictures.colorize(predicted, data.palette),
            error_map(predicted, label, known)]]))

    return ([shown(i) for i in order[::-1][:count]],
            [shown(i) for i in order[:count]])

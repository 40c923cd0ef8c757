# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks of configs/_base_/models, without their files of weights."""

from pathlib import Path

import numpy as np
import paddle

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.weights import fit, from_torch_layout
from tests.golden.names import our_state

MODELS = Path(__file__).resolve().parents[2] / "configs/_base_/models"


def section(name, **changes):
    """The `model` section of a base file, `changes` on top."""
    tree = dict(Config.load(MODELS / f"{name}.yml").tree["model"])
    tree["backbone"] = {**tree["backbone"], "pretrained": None,
                        **changes.pop("backbone", {})}
    return {**tree, **changes}


def network(name, num_classes, **changes):
    """A network as its base file describes it, with random weights."""
    config = Config({"model": section(name, **changes),
                     "num_classes": num_classes})
    return Builder(config).make_model()


def load(layer, family, state, prefix=""):
    """Load a vector's parameters, of `layer`'s part of the network."""
    state = {k.removeprefix(prefix): v
             for k, v in our_state(family, state).items()
             if k.startswith(prefix)}
    fit(layer, from_torch_layout(state, layer), family)


def count(*layers):
    """Trainable numbers; Paddle lists running statistics as well."""
    return sum(int(np.prod(p.shape)) for layer in layers
               for p in layer.parameters() if not p.stop_gradient)


def biased(after, before, samples, momentum=0.9):
    """What Paddle keeps of a running variance that torch made `after`.

    Torch averages in the unbiased batch variance, Paddle the biased one.
    """
    old = momentum * before
    return old + (after - old) * (samples - 1) / samples


def eval_and_train(layer, x, **options):
    """Outputs in eval and in training mode, without gradients."""
    with paddle.no_grad():
        layer.eval()
        first = layer(x, **options)
        layer.train()
        return first, layer(x, **options)

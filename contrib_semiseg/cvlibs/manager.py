# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""PaddleSeg's registries, and ours beside them.

`add_component` of PaddleSeg replaces a component of the same name with a
warning; `override` says that the replacement is meant.
"""

import warnings

from paddleseg.cvlibs.manager import (
    BACKBONES,
    DATASETS,
    LOSSES,
    MODELS,
    TRANSFORMS,
    ComponentManager,
)

from contrib_semiseg.cvlibs.errors import UserError

BATCH_TRANSFORMS = ComponentManager("batch_transforms")
CROPS = ComponentManager("crops")
METHODS = ComponentManager("methods")
MASKS = ComponentManager("masks")
OPTIMIZERS = ComponentManager("optimizers")
SCHEDULES = ComponentManager("schedules")
STAGES = ComponentManager("stages")

__all__ = [
    "BACKBONES", "BATCH_TRANSFORMS", "CROPS", "DATASETS", "LOSSES", "MASKS",
    "METHODS", "MODELS", "OPTIMIZERS", "SCHEDULES", "STAGES", "TRANSFORMS",
    "override", "register"
]


def register(registry):
    """Class decorator: add to `registry`; a name that is taken is an error."""

    def add(component):
        if component.__name__ in registry.components_dict:
            raise UserError(f"{component.__name__} is registered twice in "
                            f"{registry.name}")
        return registry.add_component(component)

    return add


def override(registry):
    """Class decorator: replace PaddleSeg's component of the same name."""

    def add(component):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return registry.add_component(component)

    return add

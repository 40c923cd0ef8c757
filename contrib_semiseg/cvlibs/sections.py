# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which components a section may name, and what its arguments come from."""

import functools

from paddle.optimizer import lr as paddle_lr

from contrib_semiseg.cvlibs import manager, signature
from contrib_semiseg.cvlibs.check import OneOf, Range
from contrib_semiseg.cvlibs.config import show
from contrib_semiseg.cvlibs.signature import REQUIRED, Argument

ROLES = {"train_dataset": "labeled", "unlabeled_dataset": "unlabeled",
         "val_dataset": "val"}
# Arguments stated once at the top and handed to each component of a section
# whose constructor has them.
SHARED = {
    "dataset": ("num_classes", "ignore_index", "split", "val_split",
                "val_seed"),
    "transforms": ("num_classes", "ignore_index"),
    "masks": (),
    "crops": (),
    "batch_transforms": (),
    "model": ("num_classes",),
    "backbone": (),
    "losses": ("num_classes", "ignore_index"),
    "method": ("num_classes", "ignore_index"),
    "optimizer": (),
    "lr_scheduler": (),
    "stage": (),
}
# Arguments that only the builder can fill in, and from what.
FILLED = {
    "dataset": {"role": "the name of the section"},
    "method": {"model": "the section model", "make_model": "the section model",
               "criterion": "the section loss",
               "crops": "unlabeled_dataset.crops",
               "batch_size": "the key batch_size", "normalization":
               "Normalize in unlabeled_dataset.transforms"},
    "lr_scheduler": {"total_steps": "iters or epochs", "total_batch":
                     "batch_size and the number of processes"},
    "stage": {"name": "the key of its section"},
}
# Arguments that hold components: (kind, how many); "lists": named lists.
NESTED = {"backbone": ("backbone", "one"), "transforms":
           ("transforms", "list"), "losses": ("losses", "list"),
           "masks": ("masks", "map"), "views": ("transforms", "lists"),
          "crops": ("crops", "one"),
          "mixed_transforms": ("batch_transforms", "list")}


def _registries(kind):
    return {
        "dataset": [manager.DATASETS], "transforms": [manager.TRANSFORMS],
        "masks": [manager.MASKS], "crops": [manager.CROPS],
        "batch_transforms": [manager.BATCH_TRANSFORMS],
        "model": [manager.MODELS],
        "backbone": [manager.BACKBONES, manager.MODELS],
        "losses": [manager.LOSSES], "method": [manager.METHODS],
        "optimizer": [manager.OPTIMIZERS],
        "lr_scheduler": [manager.SCHEDULES],
        "stage": [manager.STAGES],
    }[kind]


def listing(names, near=None):
    """Return the allowed names in one short text, those like `near` first."""
    names = sorted(str(n) for n in names)
    if len(names) <= 30:
        return ", ".join(names) or "nothing"
    start = str(near or "")[:4].lower()
    names.sort(key=lambda n: (not n.lower().startswith(start), n))
    return ", ".join(names[:12]) + f", ... ({len(names)} in all)"


def choices(kind):
    """Return {name: component} of what `type` may name in a section."""
    found = dict(_registries(kind)[0].components_dict)
    if kind == "dataset":
        # PaddleSeg's own have no labelled and unlabelled roles.
        found = {k: v for k, v in found.items() if hasattr(v, "item")}
    if kind == "lr_scheduler":
        found = {**_paddle_schedules(), **found}
    return found


@functools.cache
def _paddle_schedules():
    """Paddle's schedulers that a rate and numbers describe."""
    found = {n: getattr(paddle_lr, n) for n in paddle_lr.__all__
             if n not in ("LRScheduler", "LinearWarmup", "ReduceOnPlateau")}
    return {n: cls for n, cls in found.items()
            if "learning_rate" in signature.of(cls).arguments
            and "lr_lambda" not in signature.of(cls).arguments}


def find(kind, name):
    """Return the component `name` of a section of `kind`, or None."""
    if not isinstance(name, str):
        return None
    found = choices(kind).get(name)
    for registry in _registries(kind)[1:]:
        found = found or registry.components_dict.get(name)
    return found


def kind_of(name):
    """Return the kind of the section that knows a component `name`."""
    for kind in SHARED:
        if find(kind, name) is not None:
            return kind
    return None


def signature_of(kind, name, component):
    """Arguments of the component, with what the section adds to them."""
    found = signature.of(component)
    arguments = dict(found.arguments)
    if kind == "lr_scheduler" and \
            name not in manager.SCHEDULES.components_dict:
        for key in ("decay_steps", "T_max"):
            if key in arguments:
                arguments[key] = Argument(None, Range(1, integer=True,
                                                      optional=True))
        arguments["learning_rate"] = Argument(REQUIRED, Range(0))
        arguments["warmup_iters"] = Argument(0, Range(0, integer=True))
        arguments["warmup_start_lr"] = Argument(0.0, Range(0))
    return signature.Signature(arguments, found.is_open)


def shared(config, name):
    """Return what is stated once for all sections, or None.

    Args:
        config (Config): checked or not.
        name (str): of SHARED["dataset"].
    Raises: ConfigError if two sections disagree, or a dataset of fixed
        classes has others.
    """
    stated = [(key, value) for key, value in _statements(config, name)
              if value is not None]
    for key, value in stated[1:]:
        first, first_value = stated[0]
        if value != first_value:
            raise config.error(
                key, f"does not agree with {first} = {show(first_value)} in "
                f"{config.origin(first)}; state {name} once, at the top")
    for section, value in _fixed(config, name):
        if stated and stated[0][1] != value:
            raise config.error(
                stated[0][0], f"is not allowed; allowed: {show(value)}, for "
                f"{section}.type = {show(config.get(f'{section}.type'))}")
        stated = stated or [(f"{section}.type", value)]
    return stated[0][1] if stated else None


def _statements(config, name):
    """Pairs (key, value) of the places that may state `name`."""
    yield name, config.get(name)
    for section in ROLES:
        yield f"{section}.{name}", config.get(f"{section}.{name}")
    if name == "num_classes":
        yield f"model.{name}", config.get(f"model.{name}")
    if name == "ignore_index":
        yield from _losses_statements(config, "loss.types", name)


def _fixed(config, name):
    """Pairs (section, value) of the datasets that allow one value only."""
    for section in ROLES:
        component = find("dataset", config.get(f"{section}.type"))
        argument = component and signature.of(component).arguments.get(name)
        rule = argument.check if argument else None
        if isinstance(rule, OneOf) and len(rule.values) == 1:
            yield section, rule.values[0]


def _losses_statements(config, where, name):
    losses = config.get(where)
    for i, loss in enumerate(losses if isinstance(losses, list) else []):
        if isinstance(loss, dict):
            yield f"{where}.{i}.{name}", loss.get(name)
            yield from _losses_statements(config, f"{where}.{i}.losses", name)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Turn the sections of a checked configuration into objects.

The one place that knows both the configuration and the constructors; no
component sees a config dict.
"""

import copy
import functools

import paddle

from contrib_semiseg.cvlibs import cache, manager, sections, signature
from contrib_semiseg.cvlibs.config import show
from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError, UserError
from contrib_semiseg.engine.schedules import PaddleSchedule
from contrib_semiseg.losses.criterion import Criterion

_SCHEDULE_ARGUMENTS = ("learning_rate", "warmup_iters", "warmup_start_lr")


class _Located(ConfigError):
    """A ConfigError that names file and key already."""


def _one_line(error):
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Builder:
    """Build the parts of a run; each call builds anew.

    Args:
        config (Config): passed through `schema.check_config`.

    Attributes:
        num_classes, ignore_index (int), split, val_split, val_seed: as stated
            once in the configuration, else None; ignore_index is then 255.
    Raises: ConfigError from every method, naming file and key.
    """

    def __init__(self, config):
        self.config = config
        self.num_classes = sections.shared(config, "num_classes")
        ignore_index = sections.shared(config, "ignore_index")
        self.ignore_index = 255 if ignore_index is None else ignore_index
        self.split = sections.shared(config, "split")
        self.val_split = sections.shared(config, "val_split")
        self.val_seed = sections.shared(config, "val_seed")
        self._networks = 0

    def train_dataset(self):
        """Return the labelled dataset."""
        return self._dataset("train_dataset")

    def unlabeled_dataset(self):
        """Return the unlabelled dataset, or None if there is none."""
        if self.config.tree.get("unlabeled_dataset") is None:
            return None
        return self._dataset("unlabeled_dataset")

    def val_dataset(self):
        """Return the validation dataset, or None if there is none."""
        if self.config.tree.get("val_dataset") is None:
            return None
        return self._dataset("val_dataset")

    def crops(self):
        """Return the crops of the unlabelled views, or None."""
        if self.config.get("unlabeled_dataset.crops") is None:
            return None
        return self._component("unlabeled_dataset.crops", "crops")

    def val_transforms(self):
        """Return the transforms of `val_dataset` without the dataset."""
        items = self.config.get("val_dataset.transforms") or []
        return [self._component(f"val_dataset.transforms.{i}", "transforms")
                for i in range(len(items))]

    def normalization(self):
        """Return mean and deviation of the unlabelled images' channels.

        None where they are not normalised.
        """
        where = "unlabeled_dataset.transforms"
        for i, item in enumerate(self.config.get(where) or []):
            if item["type"] == "Normalize":
                op = self._component(f"{where}.{i}", "transforms")
                return op.mean, op.std
        return None

    def make_model(self):
        """Return a new network; its weights are drawn anew."""
        prefix = f"net{self._networks}_"
        self._networks += 1
        # Some networks of PaddleSeg name their parameters themselves: only
        # in a guard of its own can a second one exist, and an optimizer,
        # which tells parameters by name, needs the names to differ.
        with paddle.utils.unique_name.guard(prefix):
            network = self._component("model", "model")
        for parameter in network.parameters():
            if not parameter.name.startswith(prefix):
                parameter.name = prefix + parameter.name
        return network

    def criterion(self):
        """Return the supervised loss: (outputs, label) to a scalar."""
        losses = [self._component(f"loss.types.{i}", "losses")
                  for i in range(len(self.config.get("loss.types")))]
        return Criterion(losses, self.config.get("loss.coef"))

    def method(self):
        """Return the method with its networks and criterion."""
        makers = {"model": self.make_model, "criterion": self.criterion,
                  "make_model": lambda: self.make_model, "crops": self.crops,
                  "batch_size": lambda: self.config.get("batch_size"),
                  "normalization": self.normalization}
        return self._component("method", "method", makers)

    def schedule(self, total_steps, total_batch=None):
        """Return the learning rate as a function of the step.

        Args:
            total_steps (int): optimizer steps of the whole run.
            total_batch (int, optional): labelled images of a step, over all
                processes.
        """
        name = self.config.get("lr_scheduler.type")
        if name in manager.SCHEDULES.components_dict:
            return self._component("lr_scheduler", "lr_scheduler",
                                   {"total_steps": lambda: total_steps,
                                    "total_batch": lambda: total_batch})
        section = dict(self.config.tree["lr_scheduler"])
        arguments = {k: section.pop(k) for k in _SCHEDULE_ARGUMENTS
                     if k in section}
        section.pop("type")
        return self._call(
            "lr_scheduler", PaddleSchedule,
            dict(type=name, total_steps=total_steps, options=section,
                 **arguments))

    def optimizer(self):
        """Return the optimizer's factory, (network, rate) to optimizer."""
        return self._component("optimizer", "optimizer")

    def stages(self):
        """Return {name: stage} in their order; empty if there are none."""
        return {name: self._component(f"stages.{name}", "stage",
                                      {"name": lambda name=name: name})
                for name in self.config.tree.get("stages") or {}}

    def _dataset(self, section):
        return self._component(section, "dataset", {
            "role": lambda: sections.ROLES[section]})

    def _component(self, where, kind, makers=None):
        """Build the component at `where` with what its section shares.

        `makers` maps further argument names to functions that give a value;
        only those that the constructor declares are called.
        """
        section = self.config.get(where)
        component = sections.find(kind, section["type"])
        found = signature.of(component)
        makers = {**{name: functools.partial(getattr, self, name)
                     for name in sections.SHARED[kind]}, **(makers or {})}
        arguments = {}
        for key, value in section.items():
            declared = key in found.arguments or found.is_open
            if key != "type" and declared:
                arguments[key] = self._value(f"{where}.{key}", key, value)
        for key, make in makers.items():
            if key in found.arguments and key not in arguments:
                value = make()
                if value is not None:
                    arguments[key] = value
        return self._call(where, component, arguments)

    def _value(self, where, key, value):
        """Build the components inside an argument."""
        kind = sections.NESTED[key][0] if key in sections.NESTED else None
        if isinstance(value, dict):
            if "type" in value:
                kind = kind or sections.kind_of(value["type"])
                if kind is not None:
                    return self._component(where, kind)
            return {k: self._value(f"{where}.{k}", key, v)
                    for k, v in value.items()}
        if isinstance(value, list):
            return [self._value(f"{where}.{i}", key, v)
                    for i, v in enumerate(value)]
        return copy.deepcopy(value)

    def _call(self, where, component, arguments):
        try:
            with cache.within(self.config.get("cache_dir")):
                return component(**arguments)
        except _Located:
            # A network that a method made.
            raise
        except ArgumentError as error:
            dotted = f"{where}.{error.name}"
            raise _Located(
                f"{self.config.origin(dotted)}: {dotted} = "
                f"{show(error.value)} is not allowed; allowed: "
                f"{error.allowed}") from error
        except ConfigError as error:
            raise _Located(f"{self.config.origin(where)}: {error}") from error
        except (UserError, MemoryError):
            raise
        except Exception as error:
            raise _Located(
                f"{self.config.origin(where)}: {where} "
                f"({component.__name__}) cannot be built: "
                f"{_one_line(error)}") from error

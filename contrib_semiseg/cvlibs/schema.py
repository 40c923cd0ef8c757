# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Check a whole configuration before anything is built or written.

What a section may hold is read off the constructors: their argument names,
their `check.Check` annotations and the kind of their defaults.
"""

import re

from contrib_semiseg.cvlibs import check, sections, signature
from contrib_semiseg.cvlibs.check import OneOf, Range, Text
from contrib_semiseg.cvlibs.config import is_index, show
from contrib_semiseg.cvlibs.errors import nearest
from contrib_semiseg.cvlibs.sections import (
    NESTED,
    ROLES,
    SHARED,
    find,
    listing,
    shared,
)
from contrib_semiseg.cvlibs.signature import REQUIRED


class Device(check.Check):
    """A device name: cpu, gpu, gpu:N or auto."""

    allowed = "cpu, gpu, gpu:N, auto"

    def accepts(self, value):
        if not isinstance(value, str):
            return False
        kind, colon, index = value.partition(":")
        return value in ("cpu", "gpu", "auto") or (
            kind == "gpu" and bool(colon) and is_index(index))


_NAME = re.compile(r"[A-Za-z0-9_-]+")
_COUNT = Range(1, integer=True)
_NUMBERS = check.ListOf(Range())
TOP = {
    "num_classes": _COUNT,
    "ignore_index": Range(0, 255, integer=True),
    "split": Text(optional=True),
    "val_split": check.VAL_SPLIT,
    "val_seed": Range(0, integer=True),
    "seed": Range(0, 2**32 - 1, integer=True),
    "batch_size": _COUNT,
    "iters": _COUNT,
    "epochs": _COUNT,
    "iters_per_epoch": _COUNT,
    "epoch_cycle": OneOf("fresh", "replay"),
    "save_dir": Text(),
    "log_iters": _COUNT,
    "save_interval": _COUNT,
    "num_workers": Range(0, integer=True),
    "do_eval": check.BOOL,
    "use_vdl": check.BOOL,
    "keep_checkpoint_max": _COUNT,
    "precision": OneOf("fp32", "fp16", "bf16"),
    "amp_level": OneOf("O1", "O2"),
    "device": Device(),
    "accumulate_steps": _COUNT,
    "skip_nonfinite": Range(0, integer=True),
    "image_interval": Range(0, integer=True),
    "cache_dir": Text(optional=True),
    "diagnose_interval": Range(0, integer=True),
    "diagnose_images": _COUNT,
}
TEST_CONFIG = {
    "is_slide": check.BOOL,
    "crop_size": check.SIZE,
    "stride": check.SIZE,
    "border": OneOf("move", "cut"),
    "sum_softmax": check.BOOL,
    "center_crop": check.BOOL,
    "pad_label": Range(0, 255, integer=True, optional=True),
    "pad_to": check.ListOf(_COUNT, 2, optional=True),
    "score_size": check.ListOf(_COUNT, 2, optional=True),
    "aug_eval": check.BOOL,
    "scales": None,
    "scaling": OneOf("image", "input"),
    "flip_horizontal": check.BOOL,
    "flip_vertical": check.BOOL,
    "pad_multiple": Range(1, integer=True),
}

SECTIONS = (*ROLES, "model", "method", "optimizer", "lr_scheduler", "loss",
            "test_config", "stages")
# What a run needs, for `check_config(config, need=...)`.
TRAIN = ("train_dataset", "model", "method", "optimizer", "lr_scheduler",
         "loss", "batch_size", "iters")
EVALUATE = ("val_dataset", "model")
PREDICT = ("model",)

class _Checker:

    def __init__(self, config):
        self.config = config

    def unknown(self, where, name, what, allowed):
        dotted = f"{where}.{name}" if where else name
        return self.config.error(
            dotted, f"is not {what}; allowed: {listing(allowed, name)}"
            f"{nearest(name, allowed)}")

    def value(self, where, value, rule):
        if rule is None or rule.accepts(value):
            return
        near = nearest(value, rule.values) if isinstance(rule, OneOf) and \
            isinstance(value, str) else ""
        raise self.config.error(
            where, f"is not allowed; allowed: {rule.allowed}{near}")

    def mapping(self, where, rules, what):
        """Check a section without a `type` against {key: Check or None}."""
        section = self.config.get(where)
        if not isinstance(section, dict):
            raise self.config.error(where, "is not allowed; allowed: a "
                                    f"section of {listing(rules)}")
        for key, value in section.items():
            if key not in rules:
                raise self.unknown(where, key, what, rules)
            self.value(f"{where}.{key}", value, rules[key])
        return section

    def component(self, where, kind):
        """Check `type` and arguments of the component at `where`."""
        section = self.config.get(where)
        choices = sections.choices(kind)
        if not isinstance(section, dict) or "type" not in section:
            what = "has no type" if isinstance(section, dict) else \
                "is no section with a type"
            hint = ""
            if isinstance(section, str):
                hint = f"; write {{type: {section}}}" if section in choices \
                    else nearest(section, choices)
            raise self.config.error(
                where, f"{what}; allowed types: {listing(choices)}{hint}")
        name = section["type"]
        found = find(kind, name)
        if found is None:
            raise self.config.error(
                f"{where}.type", f"is unknown; allowed: "
                f"{listing(choices, name)}{nearest(name, choices)}")
        self.arguments(where, kind, name,
                       sections.signature_of(kind, name, found))

    def arguments(self, where, kind, name, found):
        section = self.config.get(where)
        filled = sections.FILLED.get(kind, {})
        settable = [a for a in found.arguments if a not in filled]
        for key, value in section.items():
            dotted = f"{where}.{key}"
            if key == "type":
                continue
            if key in filled and key in found.arguments:
                raise self.config.error(
                    dotted, f"is not set here: it comes from {filled[key]}")
            if key not in settable and key in SHARED[kind] and \
                    key in SHARED["losses"]:
                # Stated for the other sections: `shared` compares it.
                self.value(dotted, value, TOP[key])
            elif key not in settable and not found.is_open:
                raise self.unknown(where, key, f"an argument of {name}",
                                   settable)
            else:
                self.argument(dotted, key, value, found.arguments.get(key))
        for key, argument in found.arguments.items():
            if argument.default is REQUIRED and key not in section and \
                    key not in filled and key not in SHARED[kind]:
                allowed = argument.check.allowed if argument.check else ""
                raise self.config.error(
                    where, f"({name}) lacks the argument {key}"
                    + (f"; allowed: {allowed}" if allowed else ""))

    def argument(self, where, key, value, argument):
        default = argument.default if argument else None
        if argument and argument.check is not None:
            self.value(where, value, argument.check)
            return
        if key in NESTED and value != default:
            self.nested(where, value, *NESTED[key])
            return
        self.unnamed(where, value)
        if isinstance(default, bool) and isinstance(value, str):
            raise self.config.error(
                where, "is a text; allowed: true, false")
        if isinstance(default, (int, float)) and \
                not isinstance(default, bool) and \
                isinstance(value, (str, bool)):
            raise self.config.error(
                where, f"is no number; allowed: a number such as {default}")

    def nested(self, where, value, kind, how):
        if how == "one":
            self.component(where, kind)
            return
        wanted, what = {"list": (list, "a list"),
                        "map": (dict, "named sections"),
                        "lists": (dict, "named lists")}[how]
        # The builder tells a component by its `type`, so no name may be that.
        if not isinstance(value, wanted) or "type" in value:
            raise self.config.error(where, "is not allowed; allowed: "
                                    f"{what} of components with a type")
        for key in range(len(value)) if how == "list" else value:
            if how == "lists":
                self.nested(f"{where}.{key}", value[key], kind, "list")
            else:
                self.component(f"{where}.{key}", kind)

    def unnamed(self, where, value):
        """Components in an argument that NESTED does not list."""
        items = value.items() if isinstance(value, dict) else (
            enumerate(value) if isinstance(value, list) else ())
        if isinstance(value, dict) and "type" in value:
            kind = sections.kind_of(value["type"])
            if kind is not None:
                self.component(where, kind)
                return
        for key, item in items:
            self.unnamed(f"{where}.{key}", item)

    def loss(self):
        section = self.mapping("loss", {"types": None, "coef": _NUMBERS},
                               "a key of loss")
        for key in ("types", "coef"):
            if not isinstance(section.get(key), list) or not section[key]:
                raise self.config.error(
                    f"loss.{key}", "is missing or no list; allowed: for "
                    "example types: [{type: CrossEntropyLoss}], coef: [1]")
        for i in range(len(section["types"])):
            self.component(f"loss.types.{i}", "losses")
        if len(section["types"]) not in (1, len(section["coef"])):
            raise self.config.error(
                "loss.coef", f"has {len(section['coef'])} items for "
                f"{len(section['types'])} loss types; allowed: as many, or "
                "a single type")

    def test_options(self, where):
        """Check a section of options for running a network."""
        test = self.mapping(where, TEST_CONFIG, "a key of test_config")
        scales = test.get("scales", 1.0)
        self.value(f"{where}.scales", scales, check.ListOf(
            Range(0, exclude_low=True)) if isinstance(scales, list) else
            Range(0, exclude_low=True))

    def stages(self):
        section = self.config.get("stages")
        if not isinstance(section, dict) or "type" in section:
            raise self.config.error("stages", "is not allowed; allowed: named "
                                    "sections, each with a type")
        for name in section:
            if not _NAME.fullmatch(str(name)):
                raise self.config.error(
                    f"stages.{name}", "is no name of a folder; allowed: "
                    "letters, digits, _ and -")
            self.component(f"stages.{name}", "stage")
            if self.config.get(f"stages.{name}.test_config") is not None:
                self.test_options(f"stages.{name}.test_config")

    def top(self, need):
        tree = self.config.tree
        allowed = [*TOP, *SECTIONS]
        for key, value in tree.items():
            if key not in allowed:
                raise self.unknown("", key, "a key of a configuration",
                                   allowed)
            if key in TOP:
                self.value(key, value, TOP[key])
        if "iters" in tree and "epochs" in tree:
            raise self.config.error(
                "epochs", f"stands beside iters = {show(tree['iters'])} "
                f"({self.config.origin('iters')}); keep one of them")
        if "iters_per_epoch" not in tree and \
                tree.get("epoch_cycle", "fresh") != "fresh":
            raise self.config.error(
                "epoch_cycle", "has no effect without iters_per_epoch")
        for key in ("joint_order", "list_resampling"):
            key = f"unlabeled_dataset.{key}"
            if "iters_per_epoch" in tree and self.config.get(key):
                raise self.config.error(
                    key, "stands beside iters_per_epoch = "
                    f"{show(tree['iters_per_epoch'])}; keep one of them")
        for key in need:
            if tree.get(key) is None and not (key == "iters" and
                                              "epochs" in tree):
                what = "iters or epochs" if key == "iters" else key
                raise self.config.error(key, "is missing" if key == what else
                                        f"is missing; state {what}")


def check_config(config, need=TRAIN):
    """Check a configuration without building anything.

    Args:
        config (Config): all files, options and flags merged.
        need (sequence of str): top-level keys that must be there ("iters"
            stands for iters or epochs).
    Raises: ConfigError on the first mistake, one line.
    """
    checker = _Checker(config)
    checker.top(need)
    for section in SECTIONS:
        if config.tree.get(section) is None:
            continue
        if section in ROLES:
            checker.component(section, "dataset")
        elif section == "loss":
            checker.loss()
        elif section == "test_config":
            checker.test_options(section)
        elif section == "stages":
            checker.stages()
        else:
            checker.component(section, section)
    if "method" in need:
        _check_streams(config)
    _check_shared(config)


def _check_shared(config):
    for name in SHARED["dataset"]:
        value = shared(config, name)
        if value is None:
            continue
        readers = 0
        for section in ROLES:
            found = find("dataset", config.get(f"{section}.type"))
            argument = found and signature.of(found).arguments.get(name)
            readers += argument is not None
            rule = argument.check if argument else None
            if rule is not None and not rule.accepts(value):
                raise config.error(
                    name, f"is not allowed; allowed: {rule.allowed}, for "
                    f"{section}.type = {show(config.get(f'{section}.type'))}")
        if not readers and name not in SHARED["losses"]:
            takers = [k for k, c in sections.choices("dataset").items()
                      if name in signature.of(c).arguments]
            raise config.error(name, "is read by no dataset here; datasets "
                               f"with a {name}: {listing(takers)}")
    if shared(config, "num_classes") is None and config.tree.get("model"):
        raise config.error("num_classes", "is missing; state it at the top, "
                           "for example num_classes: 21")


def _served(config, section, stream):
    """Keys of a stream's items, as far as the configuration tells."""
    data = config.tree[section]
    keys = set(data.get("views") or ["img"])
    crops = find("crops", (data.get("crops") or {}).get("type"))
    keys |= {f"{view}_{key}" for view in data.get("views") or ()
             for key in getattr(crops, "adds", ())}
    if stream == "labeled":
        keys.add("label")
    if stream != "source":
        keys |= set(data.get("masks") or ())
    for op in data.get("transforms") or ():
        keys |= set(getattr(find("transforms", op["type"]), "adds", ()))
    return keys


def _remedy(key):
    """What would serve an item key: (what is lacking, an example)."""
    if key.startswith("mask"):
        return f"masks.{key}", f"masks: {{{key}: {{type: BoxMask}}}}"
    if key == "valid":
        return ("a transform that marks padding",
                "transforms: [{type: PadRandomCrop, crop_size: [64, 64]}]")
    for name, crops in sections.choices("crops").items():
        if key.rpartition("_")[2] in crops.adds:
            return "crops", f"crops: {{type: {name}, crop_size: [64, 64]}}"
    return f"views.{key}", f"views: {{{key}: [{{type: Normalize}}]}}"


def _check_streams(config):
    """What the method reads must come from somewhere."""
    name = config.get("method.type")
    for needed in getattr(find("method", name), "requires", ()):
        stream, key = needed.split(".", 1)
        section = ("train_dataset" if stream == "labeled" else
                   "unlabeled_dataset")
        if config.tree.get(section) is None:
            raise config.error(section, "is missing; method.type = "
                               f"{show(name)} needs it")
        if key not in _served(config, section, stream):
            lacking, example = _remedy(key)
            raise config.error(
                section, f"lacks {lacking}, which method.type = {show(name)} "
                f"needs; for example {example}")

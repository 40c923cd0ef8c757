# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Export a trained network: Paddle Inference with deploy.yaml, and ONNX."""

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import yaml

from contrib_semiseg.cvlibs import check
from contrib_semiseg.cvlibs.errors import (
    ArgumentError,
    ConfigError,
    UserError,
)
from contrib_semiseg.engine import deployed, onnx_engine, static_graph
from contrib_semiseg.engine.checkpoint import explained
from contrib_semiseg.engine.inference import eager_forward
from contrib_semiseg.engine.onnx_engine import AGREEMENT, TOLERANCE

DEPLOY = "deploy.yaml"
FREE = (-1, 3, -1, -1)
FORMS = ("auto", "pdmodel", "json")
# Options of test_config that act around the network, on whole images; and
# the values that leave it alone.
_AROUND = {"is_slide": (False, None), "aug_eval": (False, None),
           "pad_multiple": (1, None), "pad_to": (None,)}
# How PaddleSeg's script reads a picture.
_READING = {"image_range": (None,), "exif_rotation": (True, None)}
_REVERSE = "ReverseChannels"


def input_shape(given):
    """The shape of the input: (N, 3, H, W), each -1 where it is free.

    Args:
        given (list, optional): of the command line; None: all but 3 free.
    Raises: ArgumentError.
    """
    if given is None:
        return FREE
    side = check.Range(-1, integer=True)
    if len(given) != 4 or given[1] != 3 or 0 in given or \
            not check.ListOf(side).accepts(given):
        raise ArgumentError("--input_shape", " ".join(map(str, given)),
                            "N 3 H W, each above 0, or -1 where it is free")
    return tuple(given)


def _value(text):
    return "null" if text is None else str(text).lower()


def deploy_transforms(config, options):
    """The transforms of deploy.yaml, and whether the network reverses.

    PaddleSeg's script reads a picture as RGB and runs its own transforms by
    name, the network on the whole result, and nothing after it.

    Args:
        config (Config): checked.
        options (dict): the test options.

    Returns: (list of dict, bool): with True the network has to reverse the
        channels, which `ReverseChannels` does otherwise.
    Raises: ConfigError for what such a file cannot say.
    """
    for section, given, rules in (
            ("test_config", options, _AROUND),
            ("val_dataset", config.get("val_dataset") or {}, _READING)):
        for name, plain in rules.items():
            value = given.get(name, plain[0])
            if value not in plain:
                raise ConfigError(
                    f"{section}.{name} = {value}: deploy.yaml cannot say "
                    "this, and the exported network is run without it; to "
                    "export nevertheless add --opts "
                    f"{section}.{name}={_value(plain[0])}")
    return _without_reverse(config.get("val_dataset.transforms") or [])


def _without_reverse(transforms):
    """PaddleSeg's transforms alone; see `deploy_transforms`."""
    from contrib_semiseg.cvlibs import manager

    kept, reverse = [], False
    for item in transforms:
        kind = manager.TRANSFORMS.components_dict[item["type"]]
        if item["type"] == _REVERSE:
            reverse = not reverse
            continue
        if not kind.__module__.startswith("paddleseg."):
            raise ConfigError(
                f"val_dataset.transforms: {item['type']} is unknown to "
                "PaddleSeg's deploy script; allowed in an export: PaddleSeg's "
                f"own transforms and {_REVERSE}")
        item = dict(item)
        if reverse and item["type"] == "Normalize":
            # It acts before the network reverses: blue is last again.
            for key in ("mean", "std"):
                if key in item:
                    item[key] = list(item[key])[::-1]
        kept.append(item)
    return kept, reverse


@dataclasses.dataclass(frozen=True)
class Check:
    """How an exported file compares with the network itself.

    Attributes:
        name (str): the file. size (str): of the input, "3x240x320".
        difference (float): the largest, of classes 0; of logits or
            probabilities. scale (float): the largest of these numbers.
        equal (float): share of the pixels of one class.
        failure (str): why it did not run at all, or "".
    """

    name: str
    size: str
    difference: float = 0.0
    scale: float = 1.0
    equal: float = 0.0
    failure: str = ""

    @property
    def agrees(self):
        return not self.failure and self.equal >= AGREEMENT and \
            self.difference <= TOLERANCE * max(self.scale, 1e-6)

    def __str__(self):
        if self.failure:
            return f"{self.name}, input {self.size}: {self.failure}"
        far = (f"largest difference {self.difference:.3g} (of values up to "
               f"{self.scale:.3g}), " if self.scale else "")
        return (f"{self.name}, input {self.size}: {far}"
                f"{self.equal:.4%} of the pixels have the same class")


def compare(name, forward, expected, x, output_op):
    """Compare an exported network with what it has to give: Check.

    Args:
        name (str): of the file.
        forward (callable): numpy to numpy, the exported network.
        expected (ndarray): what the network itself gives for the picture.
        x (ndarray): float32 [N, 3, h, w], the picture for `forward`.
        output_op (str): see `static_graph.Deployed`.
    """
    size = "x".join(map(str, x.shape[1:]))
    try:
        found = np.asarray(forward(x))
    # The runtimes' errors share no base class.
    except Exception as error:
        return Check(name, size, failure="it fails: "
                     f"{static_graph.last_line(str(error))}")
    if found.shape != expected.shape:
        return Check(name, size, failure=f"its output is {found.shape} "
                     f"instead of {expected.shape}")
    if output_op == "argmax":
        return Check(name, size, scale=0.0,
                     equal=float((found == expected).mean()))
    if not np.isfinite(found).all():
        return Check(name, size, failure="its output is not finite")
    return Check(name, size, float(np.abs(found - expected).max()),
                 float(np.abs(expected).max()),
                 float((found.argmax(1) == expected.argmax(1)).mean()))


def deployed_input(transforms, image):
    """A picture as PaddleSeg's script prepares it: float32 [1, 3, h, w].

    Args:
        transforms (list of dict): of deploy.yaml.
        image (ndarray): uint8 [h, w, 3], RGB.
    """
    from paddleseg.deploy.infer import DeployConfig

    run = DeployConfig.load_transforms([dict(item) for item in transforms])
    image = np.ascontiguousarray(image[:, :, ::-1], np.float32)
    return np.ascontiguousarray(run({"img": image})["img"][None], np.float32)


def _trials(pair, shape):
    """Pairs of inputs to compare on: the picture, and where that is free a
    smaller one of odd size.

    Args:
        pair (tuple of ndarray): float32 [1, 3, h, w]; for the network and
            for the exported one.
        shape (tuple): see `input_shape`.
    Raises: ConfigError, where the picture does not fit a fixed shape.
    """
    wanted = shape[2:]
    for name, side, fixed in zip(("height", "width"), pair[0].shape[2:],
                                 wanted):
        if fixed not in (-1, side):
            raise ConfigError(
                f"--input_shape {' '.join(map(str, shape))}: the picture's "
                f"{name} is {side} after val_dataset.transforms; allowed: "
                f"{side}, or -1, or a Resize to {fixed} among them")
    trials = zip(*(onnx_engine.trial_inputs(
        np.repeat(x, max(1, shape[0]), axis=0)) for x in pair))
    return list(trials)[:None if wanted == (-1, -1) else 1]


def _save_paddle(layer, folder, shape, form):
    """Write model.*: (paths, note)."""
    free = [None if n == -1 else n for n in shape]
    prefix = str(Path(folder, "model"))
    try:
        if form != "json":
            return static_graph.save(layer, prefix, free, older=True), None
    except static_graph.NotSaved as error:
        if form == "pdmodel":
            raise UserError(f"--form pdmodel is not possible: {error}"
                            ) from error
        note = (f"model.json, not model.pdmodel ({error}): on a CPU "
                "PaddleSeg's script cannot run it")
    else:
        note = None
    try:
        return static_graph.save(layer, prefix, free), note
    except static_graph.NotSaved as error:
        raise UserError(f"the network cannot be exported: {error}") from error


def export(network, *, folder, transforms, pair, reverse=False, shape=FREE,
           output_op="argmax", form="auto", onnx=False, say=print):
    """Write model.*, deploy.yaml and model.onnx, if they agree.

    Args:
        network (Layer): in eval mode, float32 [N, 3, h, w] to logits.
        folder (str or Path): for the files. What another export left there
            is replaced, its deploy.yaml first removed and the new one last
            written; after a failure it is as it was.
        transforms (list), reverse (bool): see `deploy_transforms`.
        pair (tuple of ndarray): float32 [1, 3, h, w], one picture as the
            network gets it, and as `deployed_input` makes it.
        shape (tuple): see `input_shape`.
        output_op (str): see `static_graph.Deployed`.
        form (str): pdmodel, json, or auto: the first where it is possible.
        onnx (bool): write model.onnx as well.
        say (callable): prints a line.

    Returns: bool, whether the files agree with the network; where not,
        nothing was written.
    Raises: UserError, ConfigError; CheckpointError for a failed write.
    """
    missing = onnx_engine.missing_extra() if onnx else None
    if missing:
        raise UserError(f"--onnx: {missing}")
    trials = _trials(pair, shape)
    folder = Path(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        place = tempfile.mkdtemp(prefix=".export_", dir=folder)
    try:
        layer = static_graph.Deployed(network, output_op, reverse)
        layer.eval()
        paths, note = _save_paddle(layer, place, shape, form)
        names = [Path(path).name for path in paths]
        runs = {names[0]: lambda: deployed.paddle_forward(*paths)}
        if onnx:
            runs["model.onnx"] = _onnx_run(layer, place, shape)
            names.append("model.onnx")
        reference = eager_forward(static_graph.Deployed(network, output_op))
        checks = list(_checks(runs, reference, trials, output_op))
        for one in checks:
            say(str(one))
        if not all(one.agrees for one in checks):
            say("the export does not agree with the network; nothing was "
                "written")
            return False
        Path(place, DEPLOY).write_text(deploy_text(
            names[0], transforms, shape, output_op))
        _publish(place, folder, [*names, DEPLOY])
        if note:
            say(note)
        return True
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _onnx_run(layer, place, shape):
    """Write model.onnx: a function that opens it."""
    try:
        path = onnx_engine.write_onnx(
            layer, place, [None if n == -1 else n for n in shape])
    except onnx_engine.NotPossible as error:
        raise UserError(f"--onnx: {error}") from error
    return lambda: deployed.onnx_forward(path)


def _checks(runs, reference, trials, output_op):
    """A Check of each file and input."""
    for name, run in runs.items():
        try:
            forward = run()
        except deployed.NotRun as error:
            yield Check(name, "of any size", failure=str(error))
            continue
        for own, x in trials:
            yield compare(name, forward, reference(own), x, output_op)


def deploy_text(model, transforms, shape, output_op):
    """The text of deploy.yaml, as PaddleSeg 2.8's export writes it."""
    return yaml.safe_dump({"Deploy": {
        "model": model, "params": "model.pdiparams",
        "transforms": transforms,
        "input_shape": [None if n == -1 else n for n in shape],
        "output_op": output_op,
        "output_dtype": "int32" if output_op == "argmax" else "float32"}})


def _publish(place, folder, names):
    """Move files to their folder; deploy.yaml is there with all or none."""
    with explained(folder):
        (folder / DEPLOY).unlink(missing_ok=True)
        for old in ("model.pdmodel", "model.json", "model.onnx"):
            if old not in names:
                (folder / old).unlink(missing_ok=True)
        for name in names:
            os.replace(Path(place, name), folder / name)

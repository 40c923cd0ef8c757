# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: complete, written whole or not at all, read without pickle.

    SAVE_DIR/iter_200/model.pdparams      evaluated network (PaddleSeg layout)
    SAVE_DIR/iter_200/training.safetensors   everything that training changes
    SAVE_DIR/iter_200/SHA256SUMS          digests of these two
    SAVE_DIR/best_model/model.pdparams    evaluated network of the best score
"""

import hashlib
import io
import json
import os
import re
import shutil
from pathlib import Path

import paddle
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from contrib_semiseg.cvlibs import digests
from contrib_semiseg.cvlibs.errors import CheckpointError
from contrib_semiseg.cvlibs.weights import fit, load_state
from contrib_semiseg.cvlibs.whole_file import explained, write_file
from contrib_semiseg.engine.console import say
from contrib_semiseg.engine.optimizer import (
    load_optimizer_state,
    optimizer_state,
)

TRAINING = "training.safetensors"
MODEL = "model.pdparams"
_NAME = re.compile(r"iter_(\d+)$")


def _sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_files(folder, files):
    """Write files and their SHA256SUMS; a kill leaves both right.

    Args:
        folder (str or Path): made if it is missing.
        files (dict): name -> bytes.
    """
    folder = Path(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    new = [(name, hashlib.sha256(data).hexdigest())
           for name, data in files.items()]
    try:
        old = digests.read_sums(folder) or []
    except ValueError:
        old = []
    others = [pair for pair in old if pair[0] not in files]
    for pairs, data in ((old + new, files), (others + new, {})):
        if data or old:  # in a new folder the first list is the last
            write_file(folder / digests.SUMS,
                       digests.sums_text(pairs).encode())
        for name, content in data.items():
            write_file(folder / name, content)


def network_bytes(network):
    """A network's parameters in PaddleSeg's layout, as a file's bytes."""
    buffer = io.BytesIO()
    paddle.save(network.state_dict(), buffer)
    return buffer.getvalue()


def save_network(network, path, scores=None, digest=True):
    """Save a network's parameters in PaddleSeg's layout, with their digest.

    Args:
        network (Layer): what is evaluated.
        path (str): the .pdparams file; its folder is made.
        scores (dict, optional): written as scores.json beside it.
        digest (bool): keep SHA256SUMS beside it; False where the folder is
            not of our making.
    """
    path = Path(path)
    if digest:
        write_files(path.parent, {path.name: network_bytes(network)})
    else:
        with explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, network_bytes(network))
    if scores is not None:
        write_file(path.with_name("scores.json"),
                   json.dumps(scores, indent=1).encode())


def save(save_dir, *, step, method, optimizer, scaler=None, meta=None,
         scores=None, keep=5):
    """Write SAVE_DIR/iter_{step} and remove checkpoints beyond `keep`.

    Args:
        save_dir (str): the run's folder.
        step (int): finished iterations.
        method (Method), optimizer: the state to keep.
        scaler (GradScaler, optional): of mixed precision.
        meta (dict, optional): JSON values to find again in `load`.
        scores (dict, optional): written as scores.json.
        keep (int): checkpoints left after this one is there.

    Returns: Path of the new folder.
    Raises: CheckpointError if it cannot be written; nothing half written
        stays under the final name.
    """
    save_dir = Path(save_dir)
    final = save_dir / f"iter_{step}"
    temporary = save_dir / f".iter_{step}.tmp"
    arrays = {f"method/{k}": v.numpy() for k, v in method.state_dict().items()}
    arrays.update({f"optimizer/{k}": v for k, v in
                   optimizer_state(optimizer, method).items()})
    head = {"step": step, "scaler": scaler.state_dict() if scaler else None,
            **(meta or {})}
    # Of this very step: a signal right after a save; or a damaged one.
    if final.exists() and damage(final) is None:
        return final
    with explained(final):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            write_files(temporary, {
                MODEL: network_bytes(method.eval_network()),
                TRAINING: to_bytes(arrays, {"training": json.dumps(head)})})
            if scores is not None:
                write_file(temporary / "scores.json",
                           json.dumps(scores, indent=1).encode())
            if final.exists():
                shutil.rmtree(final)
            os.replace(temporary, final)
            _sync(save_dir)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    for old in checkpoints(save_dir)[:-keep]:
        if old != final:  # later ones may be damaged
            shutil.rmtree(old, ignore_errors=True)
    return final


def checkpoints(save_dir):
    """The checkpoints of a run (list of Path), oldest first, sound or not."""
    found = [p for p in Path(save_dir).glob("iter_*") if
             _NAME.match(p.name) and p.is_dir()]
    return sorted(found, key=lambda p: int(_NAME.match(p.name)[1]))


def damage(folder):
    """What is wrong with the files of a checkpoint: a text, or None.

    One of an earlier version, without digests, is only tried for reading.
    """
    for name in (MODEL, TRAINING):
        if not (folder / name).is_file():
            return f"{name} is missing"
        text = digests.damage(folder / name)
        if text:
            return text
    if not (folder / digests.SUMS).is_file():
        try:
            load_state(folder / MODEL)
            _read(folder / TRAINING)
        except CheckpointError as error:
            return str(error)
    return None


def start(save_dir, config):
    """Make the run's folder, free of what a killed run was just writing.

    Args:
        save_dir (str): the folder.
        config (str): YAML text, kept as config.yml.
    """
    with explained(save_dir):
        Path(save_dir).mkdir(parents=True, exist_ok=True)
    for path in Path(save_dir).glob(".iter_*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
    write_file(Path(save_dir) / "config.yml", config.encode())


def find(resume, save_dir):
    """The checkpoint folder that `--resume_model` names, with sound files.

    Args:
        resume (str, optional): a folder, "auto" (the newest sound one of
            `save_dir`, each damaged one being said; None if there is none
            yet) or None.
        save_dir (str): the run's folder.

    Returns: Path or None.
    Raises: CheckpointError if the folder is no checkpoint or a damaged one,
        or if all are damaged.
    """
    if resume is None:
        return None
    if resume == "auto":
        return _newest(save_dir)
    path = Path(resume)
    if not (path / TRAINING).is_file():
        inside = checkpoints(path)
        hint = (f"; the newest one inside is {inside[-1]}" if inside else
                "; allowed: a folder iter_N of a run, or auto")
        raise CheckpointError(f"resume_model = {resume!r}: no {TRAINING} "
                              f"there{hint}")
    text = damage(path)
    if text:
        raise CheckpointError(f"resume_model = {resume!r}: {text}; allowed: "
                              "another folder iter_N, or auto for the newest "
                              "sound one")
    return path


def _newest(save_dir):
    found = checkpoints(save_dir)
    for path in reversed(found):
        text = damage(path)
        if text is None:
            return path
        say(f"[RESUME] {path} is passed over: {text}")
    if found:
        raise CheckpointError(
            f"save_dir = {str(save_dir)!r}: none of its {len(found)} "
            f"checkpoints is sound ({found[-1].name}: {damage(found[-1])}); "
            "remove them to start anew")
    return None


def _read(file, arrays=True):
    """A training file: (its meta values, name -> array if they are wanted).
    """
    try:
        with safe_open(str(file), "np") as f:
            head = json.loads(f.metadata()["training"])
            found = list(f.keys())
            if type(head["step"]) is not int or any(
                    not re.match(r"method/|optimizer/.*\|", key)
                    for key in found):
                raise ValueError("these are not the entries of a checkpoint")
            return head, {key: f.get_tensor(key) for key in found if arrays}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError,
            RecursionError) as e:
        raise CheckpointError(f"{file} is damaged: {e}") from e


def read_head(path):
    """The meta values (dict) of a checkpoint."""
    return _read(Path(path) / TRAINING, arrays=False)[0]


def load(path, *, method, optimizer, scaler=None):
    """Restore what `save` wrote and return its meta values (dict).

    The method may leave something out; "notes" among the values says what.

    Raises: CheckpointError naming the file if it is damaged, or the keys that
        are missing, unknown or of another shape.
    """
    file = Path(path) / TRAINING
    head, arrays = _read(file)
    parts = {"method": {}, "optimizer": {}}
    for key, value in arrays.items():
        part, name = key.split("/", 1)
        parts[part][name] = value
    head["notes"] = method.adopt(parts["method"])
    fit(method, parts["method"], str(file))
    load_optimizer_state(optimizer, method, parts["optimizer"])
    if scaler is not None and head["scaler"]:
        scaler.load_state_dict(head["scaler"])
    return head

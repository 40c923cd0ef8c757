# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A run in stages: train, label, select, train again.

    SAVE_DIR/NAME/stage.yml      what the stage's result depends on
    SAVE_DIR/NAME/complete.yml   that it is there, its digest and figures

Stages are components of the configuration's `stages` and hand on files. A
complete stage is skipped, one that was killed goes on in its middle, and one
that was begun with other values is refused.
"""

import dataclasses
import hashlib
import time
from pathlib import Path

import yaml

from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config, show
from contrib_semiseg.cvlibs.errors import (
    CheckpointError,
    ConfigError,
    UserError,
    nearest,
)
from contrib_semiseg.engine import distributed
from contrib_semiseg.engine.checkpoint import explained, start, write_file
from contrib_semiseg.engine.console import say
from contrib_semiseg.engine.records import StagesFile
from contrib_semiseg.engine.trainer import Stopped

_RECORD, _COMPLETE = "stage.yml", "complete.yml"


@dataclasses.dataclass(frozen=True)
class Context:
    """What a stage gets to know.

    Attributes:
        config (Config): of the whole run, checked.
        root (Path): folder of the run; each stage has a folder inside.
        stages (dict): name -> Stage, all of them.
        engine (str): what runs networks that label, see `choose_engine`.
    """

    config: Config
    root: Path
    stages: dict
    engine: str = "auto"

    def folder(self, name):
        """The folder of a stage."""
        return self.root / name


class Stage:
    """Base of the stages.

    Attributes:
        name (str): key of its section, and its folder.
        makes_labels (bool): whether its folder holds masks to train on.
    """

    name = None
    makes_labels = False

    def needs(self):
        """Names of the stages whose results this one reads."""
        raise NotImplementedError

    def check(self, context):
        """Refuse what cannot work, before anything is done.

        Raises: ConfigError naming the key.
        """

    def settings(self, context):
        """All that the result depends on, beside other stages' results.

        Returns: dict that YAML can hold.
        """
        raise NotImplementedError

    def run(self, context):
        """Make the result, or go on with it.

        Returns: (digest, figures): str, and dict of what is worth knowing.
        """
        raise NotImplementedError


def reference(context, stage, key, wanted):
    """The stage that an argument names.

    Args:
        stage (Stage): whose argument it is.
        key (str): the argument; its value is the name of an earlier stage.
        wanted (type): what it has to be.
    Raises: ConfigError, naming those that are allowed.
    """
    names = list(context.stages)
    earlier = names[:names.index(stage.name)]
    fit = [n for n in earlier if isinstance(context.stages[n], wanted)]
    where = f"stages.{stage.name}.{key}"
    name = context.config.get(where)
    if name not in fit:
        raise context.config.error(
            where, f"is no {wanted.__name__} stage before {stage.name}; "
            f"allowed: {', '.join(fit) or 'none is there'}"
            f"{nearest(str(name), fit)}")
    return context.stages[name]


def names_digest(names):
    """One short text for a list of names: their number and a digest."""
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return f"{len(names)} ({digest[:12]})"


def files_digest(paths):
    """SHA-256 over the contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def _leaves(node, where=""):
    """{dotted key: value} of nested dicts and lists."""
    items = (node.items() if isinstance(node, dict) else
             enumerate(node) if isinstance(node, list) else None)
    if items is None:
        return {where: node}
    found = {}
    for key, value in items:
        found.update(_leaves(value, f"{where}.{key}" if where else str(key)))
    return found


def differences(old, new):
    """Keys in which two records differ: list of (key, old, new)."""
    old, new = _leaves(old), _leaves(new)
    return [(key, old.get(key), new.get(key))
            for key in sorted(set(old) | set(new), key=str)
            if old.get(key) != new.get(key)]


def _read_yaml(path):
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    # Of a damaged file PyYAML may make nearly any exception.
    except Exception as error:
        raise CheckpointError(
            f"{path} is damaged ({' '.join(str(error).split())}); remove "
            f"{path.parent}") from error


def same_record(folder, record):
    """Whether a folder was begun with this record; False if it is new.

    Raises: CheckpointError, if it was begun with another, or is of
        something else.
    """
    old = _read_yaml(folder / _RECORD)
    if old is None:
        if folder.is_dir() and any(folder.iterdir()):
            raise CheckpointError(
                f"{folder} holds files, but no {_RECORD}; remove it, or "
                "choose another --save_dir")
        return False
    changed = differences(old, record)
    if not changed:
        return True
    key, was, now = changed[0]
    what = (f"{key} was {show(was)}, and is {show(now)} now"
            if not key.startswith("inputs.") else
            f"the result of {key.removeprefix('inputs.')} was another one")
    others = ", ".join(k for k, _, _ in changed[1:6])
    more = (f" ({len(changed) - 1} more: {others}"
            f"{', ...' if changed[6:] else ''})") if others else ""
    raise CheckpointError(
        f"{folder / _RECORD}: {what}{more}; remove {folder}, or choose "
        "another --save_dir")


def begin(folder, record):
    """Write the record of a new folder, from process 0."""
    if distributed.rank() == 0:
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / _RECORD, yaml.safe_dump(
            record, sort_keys=False, allow_unicode=True).encode())


class Pipeline:
    """The stages of a configuration, in their order.

    Args:
        config (Config): checked, with `stages`.
        engine (str): see `Context`.
    Raises: ConfigError for stages that do not fit together.
    """

    def __init__(self, config, engine="auto"):
        self.context = Context(
            config=config, root=Path(config.get("save_dir", "output")),
            stages=Builder(config).stages(), engine=engine)
        for stage in self.context.stages.values():
            stage.check(self.context)
        self.record = StagesFile(
            self.context.root, {"config": config.path, "seed":
                                config.get("seed", 0)},
            {name: type(stage).__name__ for name, stage in
             self.context.stages.items()})

    def run(self, only=None):
        """Run the stages that are left, or one alone.

        Args:
            only (str, optional): name of the one.

        Returns: dict name -> figures of the stages that are complete.
        Raises: UserError and its kinds; Stopped after a signal.
        """
        stages = self.context.stages
        if only is not None and only not in stages:
            raise UserError(f"--stage {only} is unknown; allowed: "
                            f"{', '.join(stages)}{nearest(only, stages)}")
        distributed.start()
        figures = {}
        # A stage that trains ends on a signal in all processes.
        with distributed.one_for_all(Stopped):
            for name in stages if only is None else [only]:
                figures[name] = self._stage(stages[name])
        return figures

    def _stage(self, stage):
        name, folder = stage.name, self.context.folder(stage.name)
        record = {"settings": stage.settings(self.context),
                  "inputs": {n: self._digest(n, name) for n in stage.needs()}}
        distributed.fence()  # every process looks before one writes
        begun = same_record(folder, record)
        complete = _read_yaml(folder / _COMPLETE) if begun else None
        distributed.agree(stage=f"{name}, " + (
            "complete" if complete else "begun" if begun else "new"))
        if complete is not None:
            say(f"[STAGE] {name}: complete, skipped{_told(complete)}")
            return complete["figures"]
        say(f"[STAGE] {name}: " + ("goes on" if begun else "begins"))
        if not begun:
            begin(folder, record)
        if distributed.rank() == 0:
            start(self.context.root, self.context.config.dump())
            self.record.begin()
        distributed.fence()
        began = time.monotonic()
        digest, figures = stage.run(self.context)
        complete = {"digest": digest, "figures": figures}
        distributed.fence()
        if distributed.rank() == 0:
            write_file(folder / _COMPLETE, yaml.safe_dump(
                complete, sort_keys=False).encode())
            self.record.done(name, time.monotonic() - began)
        distributed.fence()
        say(f"[STAGE] {name}: complete{_told(complete)}")
        return figures

    def _digest(self, name, reader):
        complete = _read_yaml(self.context.folder(name) / _COMPLETE)
        if complete is None:
            raise ConfigError(
                f"stage {reader} reads the result of {name}, which is not "
                f"complete in {self.context.folder(name)}; run --stage {name} "
                "first, or all stages without --stage")
        return complete["digest"]


def _told(complete):
    text = ", ".join(f"{k}: {v}" for k, v in complete["figures"].items())
    return f" ({text})" if text else ""

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Which runs a comparison consists of, and the command of each.

Methods are found by the names of their configurations,
configs/METHOD/METHOD_DATASET[_SPLIT].yml; none is known here.
"""

import dataclasses
import json
from pathlib import Path

import yaml

from contrib_semiseg.cvlibs.config import Config, show
from contrib_semiseg.cvlibs.errors import UserError, nearest
from contrib_semiseg.cvlibs.whole_file import write_file
from contrib_semiseg.reports.runs import FREE

BASELINE, FULL = "supervised", "supervised_full"
ENTRY = "comparison.json"
_SECTIONS = ("train_dataset", "unlabeled_dataset", "val_dataset")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all runs of a comparison share.

    Attributes:
        dataset (str), split (str or None): in the names of configurations.
        iters (int, optional): of each run; None: those of the configurations.
        staged (str): "each": every training of a run in stages has the whole
            budget; "total": its trainings share it.
        eval_interval (int, optional): None: a fifth of the iterations.
        dataset_root (str, optional): of all three sections.
        opts (tuple of str): KEY=VALUE, passed on.
        flags (tuple of str): other words for train.py.
    """

    dataset: str
    split: str = None
    iters: int = None
    staged: str = "each"
    eval_interval: int = None
    dataset_root: str = None
    opts: tuple = ()
    flags: tuple = ()

    @property
    def name(self):
        return "_".join(p for p in (self.dataset, self.split) if p)


def find_configs(root, setting):
    """Method -> configuration file, the baseline first.

    Args:
        root (Path): the project's folder.
    Raises: UserError if there are none.
    """
    suffix = f"_{setting.name}"
    found = {p.stem.removesuffix(suffix): p for p in
             sorted(Path(root).glob(f"configs/*/*{suffix}.yml"))
             if p.parent.name != "_base_"}
    full = Path(root, "configs", BASELINE,
                f"{BASELINE}_{setting.dataset}_full.yml")
    if BASELINE not in found:
        known = sorted({p.stem.removeprefix(f"{BASELINE}_") for p in Path(
            root, "configs", BASELINE).glob(f"{BASELINE}_*.yml")
            if p.stem.count("_") < 4})
        split = "" if setting.split is None else f" --split {setting.split}"
        raise UserError(
            f"--dataset {setting.dataset}{split}: there is no configuration "
            f"configs/{BASELINE}/{BASELINE}{suffix}.yml; allowed: DATASET "
            f"or DATASET_SPLIT of {', '.join(known)}"
            f"{nearest(setting.name, known)}")
    methods = [BASELINE, *(n for n in found if n != BASELINE)]
    found = {name: found[name] for name in methods}
    if full.is_file():
        found[FULL] = full
    return found


def chosen(configs, names):
    """The configurations of the methods asked for, in their order.

    Raises: UserError for a method without one.
    """
    if names == ["all"]:
        return configs
    for name in names:
        if name not in configs:
            raise UserError(f"--methods {name}: there is no such "
                            f"configuration; allowed: all, "
                            f"{', '.join(configs)}{nearest(name, configs)}")
    return {name: configs[name] for name in configs if name in names}


@dataclasses.dataclass
class Entry:
    """One run of a comparison.

    Attributes:
        method (str), seed (int), config (Config): what is trained.
        path (str): of the configuration, in the project's folder.
        folder (Path): its SAVE_DIR.
        words (list of str): of train.py, without resuming.
        label (str): for tables and lines.
    """

    method: str
    seed: int
    path: str
    config: Config
    folder: Path
    words: list
    setting: Setting

    @property
    def label(self):
        return f"{self.method}, seed {self.seed}"

    @property
    def staged(self):
        return bool(self.config.get("stages"))

    def command(self):
        """Words for train.py that begin the run, or go on with it."""
        return self.words + ([] if self.staged else
                             ["--resume_model", "auto"])

    def check(self):
        """Refuse a folder in which something else was trained."""
        path = self.folder / "config.yml"
        if not path.is_file():
            return
        old = yaml.safe_load(path.read_text(encoding="utf-8"))
        new = yaml.safe_load(self.config.dump())
        for key in sorted(set(old) | set(new)):
            if key not in FREE and _rooted(old.get(key)) != _rooted(
                    new.get(key)):
                raise UserError(
                    f"{self.folder} was trained with another {key} "
                    f"({show(old.get(key))}, and now {show(new.get(key))}); "
                    "remove it, or choose another --save_dir")

    def write(self):
        """Say in its folder which run it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_file(self.folder / ENTRY, json.dumps({
            "method": self.method, "seed": self.seed,
            "dataset": self.setting.dataset, "split": self.setting.split,
            "config": self.path}, indent=1).encode())


def _rooted(section):
    """A section without where the data lies on this machine."""
    if not isinstance(section, dict):
        return section
    return {k: v for k, v in section.items()
            if k not in ("dataset_root", "cache_dir")}


def make_entry(root, method, seed, path, save_dir, setting):
    """The Entry of a method and seed.

    Args:
        root, path (Path): the project's folder, and a configuration in it.
    Raises: UserError for a configuration without a number of iterations.
    """
    plain = Config.load(path)
    name, path = method, path.relative_to(root).as_posix()
    iters = setting.iters or plain.get("iters")
    if not iters:
        raise UserError(f"{path} states epochs; give --iters, for an equal "
                        "budget")
    interval = setting.eval_interval or max(1, iters // 5)
    trainings = [s for s in (plain.get("stages") or {}).values()
                 if s.get("type") == "Train"]
    if trainings and setting.staged == "total":
        iters, name = max(1, iters // len(trainings)), f"{method}_shared"
    opts = [] if setting.dataset_root is None else [
        f"{section}.dataset_root={setting.dataset_root}"
        for section in _SECTIONS if plain.get(section) is not None]
    flags = {"iters": iters, "seed": seed, "save_interval": interval,
             "log_iters": min(plain.get("log_iters", 10), interval),
             "keep_checkpoint_max": 2, "do_eval": True}
    folder = Path(save_dir, f"{name}_seed{seed}")
    opts = [f"diagnose_interval={0 if method == FULL else interval}",
            *opts, *setting.opts]
    config = Config.load(root / path, opts,
                         {**flags, "save_dir": str(folder)})
    words = ["--config", path, "--save_dir", str(folder)]
    for flag, value in flags.items():
        words += [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
    words += [*setting.flags, "--opts", *opts]
    return Entry(name, seed, path, config, folder, words, setting)


def plan(root, names, seeds, save_dir, setting):
    """All runs that are asked for: list of Entry, seed by seed.

    Raises: UserError for methods that do not have the same budget.
    """
    configs = chosen(find_configs(root, setting), names)
    entries = [make_entry(root, name, seed, path, save_dir, setting)
               for seed in seeds for name, path in configs.items()]
    first = entries[0]
    for other in entries[1:]:
        for key in ("batch_size", "iters"):
            here, there = first.config.get(key), other.config.get(key)
            if here != there and not (key == "iters" and other.staged):
                raise UserError(
                    f"{other.path}: {key} = {show(there)}, and "
                    f"{first.path} has {show(here)}; give --iters or "
                    f"--opts {key}=N, for an equal budget")
    return entries

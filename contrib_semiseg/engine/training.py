# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Put a training run together from its configuration, and run it."""

import dataclasses
import os
from pathlib import Path
from typing import Optional

import numpy as np
import paddle

from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.errors import (
    CheckpointError,
    ConfigError,
    DataError,
)
from contrib_semiseg.cvlibs.json_rows import SCALARS
from contrib_semiseg.datasets.loader import TrainLoader
from contrib_semiseg.datasets.sampling import training_streams
from contrib_semiseg.engine import checkpoint, diagnosis, distributed, hooks
from contrib_semiseg.engine.console import say
from contrib_semiseg.engine.evaluator import evaluate
from contrib_semiseg.engine.inference import Inferencer, eager_forward
from contrib_semiseg.engine.progress import Progress
from contrib_semiseg.engine.records import Rows, RunFile
from contrib_semiseg.engine.stages import names_digest
from contrib_semiseg.engine.trainer import Stopped, Trainer, seed_step

# Keys in which a resumed run may differ from the one that it goes on with.
FREE_KEYS = {"cache_dir", "device", "diagnose_images", "diagnose_interval",
             "do_eval", "image_interval",
             "keep_checkpoint_max", "log_iters", "num_workers", "save_dir",
             "save_interval", "skip_nonfinite", "test_config", "use_vdl",
             "val_dataset"}


@dataclasses.dataclass
class RunOptions:
    """Top-level keys of a configuration and their defaults.

    Attributes:
        batch_size (int): images of each stream per process and step.
        iters, epochs (int): length of the run; one of them. An epoch shows
            the larger of the two image sets once, or with joint_order or
            list_resampling the unlabelled one.
        iters_per_epoch (int): iterations of an epoch instead; each image set
            is then gone through as often as that takes.
        epoch_cycle (str): with it: "fresh" draws anew each time, "replay"
            repeats the epoch's first batches of a set.
        save_dir (str): folder of the run.
        log_iters, save_interval (int): steps between lines and checkpoints.
        keep_checkpoint_max (int): checkpoints that stay.
        do_eval (bool): evaluate before each checkpoint.
        use_vdl (bool): write VisualDL records.
        image_interval (int): steps between VisualDL pictures; 0 for none.
        num_workers (int): loader processes.
        seed (int): of every random draw.
        precision (str), amp_level (str): mixed precision, on a GPU.
        accumulate_steps (int): batches of one update.
        diagnose_interval (int): steps between diagnoses of the pseudo-labels
            on unlabelled images whose truth is known; 0 for none.
        diagnose_images (int): images that such a diagnosis looks at.
        skip_nonfinite (int): updates that may be left out because a loss or
            a gradient is not finite, before the run ends; 0: the first one
            ends it.
    """

    batch_size: int
    iters: Optional[int] = None
    epochs: Optional[int] = None
    iters_per_epoch: Optional[int] = None
    epoch_cycle: str = "fresh"
    save_dir: str = "output"
    log_iters: int = 10
    save_interval: int = 1000
    keep_checkpoint_max: int = 5
    do_eval: bool = False
    use_vdl: bool = False
    image_interval: int = 500
    num_workers: int = 2
    seed: int = 0
    precision: str = "fp32"
    amp_level: str = "O1"
    accumulate_steps: int = 1
    skip_nonfinite: int = 0
    diagnose_interval: int = 0
    diagnose_images: int = 32

    @classmethod
    def of(cls, config):
        """Read them from a checked Config."""
        names = {f.name for f in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in config.tree.items() if k in names})


def make_datasets(builder, requires):
    """The datasets of the streams that `requires` names.

    Returns: dict stream -> dataset; "source" is the unlabelled one again.
    Raises: ConfigError if the config lacks unlabeled_dataset.
    """
    wanted = {key.split(".")[0] for key in requires}
    datasets = {"labeled": builder.train_dataset()}
    if wanted - {"labeled"}:
        unlabeled = builder.unlabeled_dataset()
        if unlabeled is None:
            raise ConfigError(
                f"{builder.config.path}: the method "
                f"{builder.config.get('method.type')} learns from unlabelled "
                "images; add a section unlabeled_dataset")
        datasets.update({name: unlabeled for name in sorted(wanted) if
                         name != "labeled"})
    return datasets


def refuse_overlap(val_split, datasets, val):
    """Refuse to train on images that `val_split` holds out for validation.

    A section cannot see what another one holds out of a folder that both
    share.
    Args:
        val_split (float, str or None): None holds out nothing.
        datasets (dict): see `make_datasets`.
        val (SegDataset): the validation set, or None.
    Raises: DataError.
    """
    if val_split is None or val is None:
        return
    held = {os.path.abspath(val.image_path(i)) for i in range(len(val))}
    for name, data in datasets.items():
        paths = map(data.image_path, range(len(data)))
        seen = [path for path in paths if os.path.abspath(path) in held]
        if seen and name != "source":  # which is the unlabelled one again
            raise DataError(
                f"val_split = {val_split} holds {len(seen)} images out that "
                f"the {name} ones hold, too, first: {seen[0]}; allowed: the "
                "same image_dir, mask_dir and list_file in sections that "
                "share a folder")


def make_streams(datasets, run):
    """The streams of the datasets, for this process."""
    unlabeled = datasets.get("unlabeled")
    iters = run.iters_per_epoch
    return training_streams(
        labeled=len(datasets["labeled"]), batch=run.batch_size, seed=run.seed,
        unlabeled=None if unlabeled is None else len(unlabeled),
        source="source" in datasets, world=distributed.world(),
        rank=distributed.rank(),
        same_image_mix=getattr(unlabeled, "same_image_mix", False),
        joint_order=getattr(unlabeled, "joint_order", False),
        list_resampling=getattr(unlabeled, "list_resampling", False),
        iters=None if iters is None else iters * run.accumulate_steps,
        replay=run.epoch_cycle == "replay")


def make_evaluate(builder):
    """A function network -> Scores over the validation set, or None."""
    dataset = builder.val_dataset()
    if dataset is None:
        raise ConfigError(f"{builder.config.path}: do_eval needs a section "
                          "val_dataset")
    if distributed.world() > 1:
        distributed.agree(validation_images=names_digest(
            [dataset.name(i) for i in range(len(dataset))]))
    options = builder.config.get("test_config") or {}

    def run(network):
        inferencer = Inferencer(forward=eager_forward(network),
                                transforms=dataset.transforms, **options)
        return evaluate(inferencer, dataset, rank=distributed.rank(),
                        world=distributed.world(),
                        reduce=distributed.sum_array)

    return run


def make_hooks(run, builder, dataset, meta, *, facts, learned):
    """The hooks of a run, in their order.

    Args:
        facts (dict): of run.json.
        learned (bool): whether the run learns from unlabelled images.
    """
    writer = None
    if run.use_vdl and distributed.rank() == 0:
        from visualdl import LogWriter
        writer = LogWriter(str(Path(run.save_dir) / "vdl"))
    found = [hooks.StopOnNonFinite(every=run.log_iters),
             hooks.LogHook(every=run.log_iters, writer=writer, rows=Rows(
                 Path(run.save_dir) / SCALARS))]
    if writer and run.image_interval:
        found.append(hooks.PictureHook(
            every=run.image_interval, writer=writer,
            palette=dataset.palette, transforms=dataset.transforms))
    if run.diagnose_interval:
        found.append(diagnosis.DiagnosisHook(
            every=run.diagnose_interval, dataset=diagnosis.truth_of(builder),
            count=run.diagnose_images, save_dir=run.save_dir, learned=learned,
            pad_multiple=builder.config.get("test_config.pad_multiple", 1),
            writer=writer))
    saver = hooks.CheckpointHook(
        save_dir=run.save_dir, every=run.save_interval,
        keep=run.keep_checkpoint_max, writer=writer, meta=meta,
        run_file=RunFile(run.save_dir, facts),
        evaluate=make_evaluate(builder) if run.do_eval else None)
    return [*found, saver], saver


def check_save_dir(save_dir, resumed):
    """Refuse to start anew where another run has its checkpoints."""
    old = checkpoint.checkpoints(save_dir)
    if old and resumed is None:
        raise CheckpointError(
            f"save_dir = {save_dir!r} holds {old[-1].name} of an earlier run; "
            "go on with --resume_model auto, or choose another --save_dir")


def check_agreed(run, resumed, total, datasets):
    """Refuse processes that would train on other data, or from elsewhere."""
    if distributed.world() == 1:
        return
    lists = {f"{name}_images": names_digest([d.name(i) for i in range(len(d))])
             for name, d in datasets.items()}
    distributed.agree(
        checkpoint=resumed.name if resumed else "none to go on with",
        iterations=total, batch_size=run.batch_size, seed=run.seed, **lists)


def compare(old, new, path):
    """Say in which keys a resumed run differs from its checkpoint."""
    changed = [k for k in sorted(set(old) | set(new))
               if k not in FREE_KEYS and old.get(k) != new.get(k)]
    if changed:
        say(f"[RESUME] {path} was trained with other values of "
            f"{', '.join(changed)}: the result is not that of one run")


def train(config, resume=None, *, datasets=make_datasets, extra_hooks=()):
    """Train as a checked configuration says.

    Args:
        config (Config): passed through `schema.check_config`.
        resume (str, optional): checkpoint folder or "auto".
        datasets (callable): see `make_datasets`, which it replaces.
        extra_hooks (sequence of Hook): called before the others, so that a
            checkpoint is never ahead of what they keep.

    Returns: dict of the last scores (empty without do_eval).
    Raises: UserError and its kinds, an error of another process among them;
        Stopped after a signal.
    """
    distributed.start()
    with distributed.one_for_all(Stopped):
        return _train(config, resume, datasets, extra_hooks)


def _train(config, resume, datasets, extra_hooks):
    run, builder = RunOptions.of(config), Builder(config)
    resumed = checkpoint.find(resume, run.save_dir)
    check_save_dir(run.save_dir, resumed)
    seed_step(run.seed, 0)
    method = distributed.synchronize_norms(builder.method())
    datasets = datasets(builder, method.requires)
    if builder.val_split is not None:
        refuse_overlap(builder.val_split, datasets, builder.val_dataset())
    streams = make_streams(datasets, run)
    progress = Progress.begin(
        turn=streams["labeled"].iters_per_epoch, batches=run.accumulate_steps,
        processes=distributed.world(), batch_size=run.batch_size)
    head, start, changed = {}, 0, None
    if resumed is not None:
        head = checkpoint.read_head(resumed)
        start = head["step"]
        # Earlier versions kept none, and went on as if nothing had changed.
        old = Progress(**head.get("progress", dataclasses.asdict(progress)))
        changed, progress = progress.change(old), progress.after(old, start)
    total = run.iters or run.epochs * progress.epoch
    check_agreed(run, resumed, total, datasets)
    schedule = builder.schedule(total, progress.images)
    optimizer = builder.optimizer()(method, schedule(0))
    meta = {"config": config.tree, "seed": run.seed,
            "progress": dataclasses.asdict(progress)}
    all_hooks, saver = make_hooks(
        run, builder, datasets["labeled"], meta,
        facts=facts_of(config, method, datasets, run),
        learned=any(name != "labeled" for name in datasets))
    trainer = Trainer(
        method=method, optimizer=optimizer, schedule=schedule,
        total_steps=total, iters_per_epoch=progress.epoch, seed=run.seed,
        accumulate_steps=run.accumulate_steps, precision=run.precision,
        amp_level=run.amp_level, skip_nonfinite=run.skip_nonfinite,
        hooks=[*extra_hooks, *all_hooks])
    if resumed is not None:
        notes = checkpoint.load(resumed, method=method, optimizer=optimizer,
                                scaler=trainer.scaler)["notes"]
        saver.best = head["best"]
        trainer.guard.skipped = head.get("skipped", 0)
        compare(head["config"], config.tree, resumed)
        for line in (f"{resumed}: iteration {start} of {total}",
                     changed, *notes):
            if line:
                say(f"[RESUME] {line}")
    else:
        distributed.broadcast_state(method)
    if distributed.rank() == 0:
        checkpoint.start(run.save_dir, config.dump())
    announce(trainer, datasets)
    if start >= total:
        say(f"[TRAIN] nothing is left to do: {resumed} is of the last "
            "iteration; more --iters train on")
    loader = TrainLoader(
        datasets=datasets, streams=streams, seed=run.seed,
        start_step=progress.batch(start), total_steps=progress.batch(total),
        num_workers=run.num_workers, requires=method.requires,
        finite=not run.skip_nonfinite)
    trainer.fit(loader, start)
    return saver.scores or {}


def facts_of(config, method, datasets, run):
    """What run.json says of a run beside its surroundings: a dict."""
    images = {}
    for name, data in datasets.items():
        if name != "source":
            images.update(getattr(data, "counts", {name: len(data)}))
    return {
        "config": config.path, "method": type(method).__name__,
        "seed": run.seed, "batch_size": run.batch_size,
        "accumulate_steps": run.accumulate_steps, "precision": run.precision,
        "images": images,
        "parameters": sum(int(np.prod(p.shape)) for p in method.parameters()
                          if not p.stop_gradient)}


def announce(trainer, datasets):
    """Print what is about to be trained."""
    count = sum(int(np.prod(p.shape)) for p in trainer.parameters)
    images = ", ".join(getattr(d, "listing", f"{len(d)} {name} images")
                       for name, d in datasets.items() if name != "source")
    say(f"[TRAIN] {type(trainer.method).__name__}: {count / 1e6:.2f} M "
        f"parameters, {images}, {trainer.total_steps} iterations on "
        f"{paddle.get_device()} x {distributed.world()}")
    if distributed.world() > 1 and not distributed.has_synchronized_norms():
        say("[TRAIN] BatchNorm sees the images of its own process: Paddle "
            "has no SyncBatchNorm for a CPU; its statistics are averaged")
    for line in trainer.method.notes():
        say(f"[TRAIN] {line}")

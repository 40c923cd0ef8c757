# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What happens beside the steps: logs, pictures, evaluation, checkpoints.

A hook observes, saves or stops; it never changes a loss, a batch or a weight.
"""

import math
import time
from pathlib import Path

import numpy as np
import paddle

from contrib_semiseg.cvlibs.json_rows import EVALUATIONS
from contrib_semiseg.engine import (
    checkpoint,
    distributed,
    pictures,
    records,
)
from contrib_semiseg.engine.console import bar, clock, say
from contrib_semiseg.engine.nonfinite import NonFinite, check_state


class Hook:
    """Base: every event does nothing."""

    def before_training(self, trainer, start_step):
        """Called once, before the first step."""

    def after_step(self, trainer, step, terms):
        """Called after each update, with the step's terms.

        They are {} where the update was left out.
        """

    def after_stop(self, trainer, step):
        """Called when a signal ends training early, after `step`."""

    def after_training(self, trainer):
        """Called at the end, also after an error."""


def scalars(terms):
    """The terms that are numbers: detached, without pictures."""
    return {k: v.detach() for k, v in terms.items()
            if not k.startswith("show_")}


class StopOnNonFinite(Hook):
    """End the run where a term or the method's state is not finite.

    Args:
        every (int): steps between checks; each copies the terms to the host.
    """

    def __init__(self, *, every=10):
        self.every = every

    def after_step(self, trainer, step, terms):
        if (step.it + 1) % self.every:
            return
        values = {k: float(v) for k, v in scalars(terms).items()}
        bad = [k for k, v in values.items() if not math.isfinite(v)]
        if bad:
            raise NonFinite(
                f"iteration {step.it + 1}: {', '.join(bad)} not finite; all "
                f"terms: {values}; try a lower learning rate or a warm-up")
        check_state(trainer.method, step.it + 1)


def _means(rows):
    """Mean of each term; a loss that a step does not have counts as 0."""
    values = {}
    for name in dict.fromkeys(k for row in rows for k in row):
        found = [row[name] for row in rows if name in row]
        count = len(rows) if name.startswith("loss_") else len(found)
        values[name] = float(paddle.stack(found).sum()) / count
    return values


class LogHook(Hook):
    """Lines, the progress bar and VisualDL scalars.

    Args:
        every (int): steps between lines; the values are means over them.
        writer (LogWriter, optional): VisualDL.
        rows (Rows, optional): gets the scalars and the memory, too; its
            batch_seconds are without evaluations, checkpoints and diagnoses.
    """

    def __init__(self, *, every, writer=None, rows=None):
        self.every, self.writer, self.rows = every, writer, rows
        self.terms, self.bar = [], None

    def before_training(self, trainer, start_step):
        if self.rows:
            self.rows.resume(start_step)
        self.bar = bar(trainer.total_steps, start_step, "train")
        self._restart(trainer)

    def _restart(self, trainer):
        self.since, self.terms = time.perf_counter(), []
        self.waited, self.images = trainer.wait_seconds, trainer.images
        self.aside = trainer.aside_seconds

    def after_step(self, trainer, step, terms):
        self.terms.append(scalars(terms))
        self.bar.update()
        done = step.it + 1
        if done % self.every and done != step.total:
            return
        known = [terms for terms in self.terms if terms]
        values = _means(known)
        seconds = time.perf_counter() - self.since
        steps = len(self.terms)
        wait = (trainer.wait_seconds - self.waited) / steps
        rate = ((trainer.images - self.images) * distributed.world() /
                seconds)
        losses = [v for k, v in values.items() if k.startswith("loss_")]
        loss = sum(losses) if known else math.nan
        shown = "".join(f", {k}: {v:.4f}" for k, v in values.items())
        if trainer.guard.skipped:
            values["skipped"] = trainer.guard.skipped
            shown += f", skipped: {trainer.guard.skipped}"
        say(f"[TRAIN] epoch: {step.epoch + 1}/{step.epochs}, iter: {done}/"
            f"{step.total}, loss: {loss:.4f}{shown}, lr: "
            f"{trainer.learning_rate:.6f}, batch_cost: {seconds / steps:.4f}, "
            f"reader_cost: {wait:.5f}, ips: {rate:.2f} images/sec | ETA "
            f"{clock(seconds / steps * (step.total - done))}")
        values.update(loss=loss, lr=trainer.learning_rate,
                      images_per_second=rate, data_wait_seconds=wait,
                      batch_seconds=(seconds - trainer.aside_seconds +
                                     self.aside) / steps)
        if self.writer:
            for name, value in values.items():
                self.writer.add_scalar(f"train/{name}", value, done)
        if self.rows:
            self.rows.append({"iter": done, "epoch": step.epoch + 1,
                              **values, "memory_mb": records.memory_mb()})
        self._restart(trainer)

    def after_training(self, trainer):
        if self.bar is not None:
            self.bar.close()


class PictureHook(Hook):
    """VisualDL pictures: image, label or pseudo-label, and prediction.

    Args:
        every (int): steps between pictures.
        writer (LogWriter): VisualDL.
        palette (ndarray): uint8 [C, 3], RGB.
        transforms (list): of the training data, to undo its normalisation.
        rows (int): images of each kind.
    """

    def __init__(self, *, every, writer, palette, transforms, rows=2):
        self.every, self.writer, self.rows = every, writer, rows
        self.palette, self.transforms = palette, transforms

    def after_step(self, trainer, step, terms):
        if (step.it + 1) % self.every:
            return
        pairs = {"labeled": (trainer.batch["labeled"]["img"],
                             trainer.batch["labeled"]["label"])}
        if "show_image" in terms:
            pairs["unlabeled"] = (terms["show_image"],
                                  terms["show_pseudo_label"])
        network = trainer.method.eval_network()
        network.eval()
        for name, (images, labels) in pairs.items():
            with paddle.no_grad():
                predicted = network(images[:self.rows])[0].argmax(axis=1)
            self.writer.add_image(
                f"train/{name}",
                pictures.training_panel(
                    images[:self.rows].numpy(), labels[:self.rows].numpy(),
                    predicted.numpy(), self.palette, self.transforms),
                step.it + 1)
        network.train()


class CheckpointHook(Hook):
    """Evaluate, keep the best network, and write checkpoints.

    Args:
        save_dir (str): the run's folder.
        every (int): steps between checkpoints; the last step has one too.
        keep (int): checkpoints that stay.
        evaluate (callable, optional): network to Scores, run before each
            checkpoint.
        writer (LogWriter, optional): VisualDL.
        best (float): best mIoU so far, of a resumed run.
        meta (dict): JSON values kept in the checkpoint.
        run_file (RunFile, optional): is told of each checkpoint.
    """

    def __init__(self, *, save_dir, every, keep, evaluate=None, writer=None,
                 best=-1.0, meta=None, run_file=None):
        self.save_dir, self.every, self.keep = save_dir, every, keep
        self.evaluate, self.writer = evaluate, writer
        self.best, self.meta = best, meta or {}
        self.scores, self.run_file = None, run_file
        self.rows = records.Rows(Path(save_dir) / EVALUATIONS)

    def before_training(self, trainer, start_step):
        self.rows.resume(start_step)
        if self.run_file:
            self.run_file.begin(start_step, trainer.total_steps)

    def after_step(self, trainer, step, terms):
        done = step.it + 1
        if done % self.every and done != step.total:
            return
        began = time.perf_counter()
        check_state(trainer.method, done)
        if self.evaluate:
            self._evaluate(trainer, done)
        self._save(trainer, done)
        trainer.aside_seconds += time.perf_counter() - began

    def _evaluate(self, trainer, done):
        network = trainer.method.eval_network()
        network.eval()
        began = time.perf_counter()
        scores = self.evaluate(network)
        seconds = time.perf_counter() - began
        trainer.method.train()
        self.scores = {"iter": done, **scores.as_dict()}
        self.rows.append({**self.scores, "seconds": round(seconds, 3),
                          "confusion": scores.matrix.tolist()})
        better = scores.miou > self.best
        if better:
            self.best = float(scores.miou)
            if distributed.rank() == 0:
                checkpoint.save_network(
                    network, f"{self.save_dir}/best_model/{checkpoint.MODEL}",
                    self.scores)
        say(f"[EVAL] iter: {done}, mIoU: {scores.miou:.4f}, acc: "
            f"{scores.accuracy:.4f}, kappa: {scores.kappa:.4f}, best mIoU: "
            f"{self.best:.4f}" + (" (new best)" if better else ""))
        if self.writer:
            self.writer.add_scalar("eval/mIoU", scores.miou, done)
            self.writer.add_scalar("eval/accuracy", scores.accuracy, done)
            for name, value in zip(scores.class_names, scores.iou):
                if np.isfinite(value):
                    self.writer.add_scalar(f"eval/IoU_{name}", value, done)

    def after_stop(self, trainer, step):
        check_state(trainer.method, step.it + 1)
        self._save(trainer, step.it + 1)

    def _save(self, trainer, done):
        if distributed.rank() == 0:
            path = checkpoint.save(
                self.save_dir, step=done, method=trainer.method,
                optimizer=trainer.optimizer, scaler=trainer.scaler,
                meta={"best": self.best, "skipped": trainer.guard.skipped,
                      **self.meta}, scores=self.scores, keep=self.keep)
            say(f"[SAVE] {path}")
        if self.run_file:
            self.run_file.update(done)
        distributed.fence()

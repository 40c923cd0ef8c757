# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""ST and ST++: training, labels, reliability, and the order of the stages."""

import contextlib
import io
import re
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn
from PIL import Image

from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.schema import check_config
from contrib_semiseg.cvlibs.weights import load_state
from contrib_semiseg.engine import (
    labeling,
    labeling_stages,
    pictures,
    predictor,
    training,
    training_stage,
)
from contrib_semiseg.engine.hooks import CheckpointHook, Hook
from contrib_semiseg.engine.inference import Inferencer, eager_forward
from contrib_semiseg.engine.optimizer import SGD
from contrib_semiseg.engine.stages import Pipeline
from contrib_semiseg.engine.trainer import Trainer
from contrib_semiseg.engine.training_stage import SnapshotHook, snapshot_points
from contrib_semiseg.losses.cross_entropy import CrossEntropyLoss
from contrib_semiseg.methods.supervised import Supervised
from contrib_semiseg.metrics.confusion import Scores, confusion
from contrib_semiseg.metrics.reliability import most_reliable, reliability
from tests.golden.case import handles
from tests.golden.handlers.st_data import recipe
from tests.support import staged
from tests.support.replay import MainLogits, UnbiasedBatchNorm2D

IGNORED = 255


@handles("st", "ce_ignore")
def ce_ignore(case):
    loss = CrossEntropyLoss(ignore_index=case.params["ignore_index"])
    target = case.tensor("in_target")
    values = []
    for i, scale in enumerate(case["in_scales"].tolist()):
        scaled = paddle.to_tensor(case["in_logits"] * np.float32(scale),
                                  stop_gradient=False)
        values.append(loss(scaled, target))
        values[-1].backward()
        case.check(f"grad_scaled_logits_{i}", scaled.grad)
    case.check("out_loss", np.array([float(v) for v in values]))
    # 0 / 0 in the release; ours is 0, so that such a batch changes nothing.
    assert np.isnan(case["out_loss_all_ignored"])
    nothing = loss(case.tensor("in_logits"), paddle.full_like(target, IGNORED))
    assert float(nothing) == 0
    case.mark("out_loss_all_ignored")


class _Toy(nn.Layer):
    """The network of the training loops."""

    def __init__(self, case):
        super().__init__()
        width = case["in_backbone.0.weight"].shape[0]
        self.backbone = nn.Sequential(
            nn.Conv2D(3, width, 3, stride=2, padding=1, bias_attr=False),
            UnbiasedBatchNorm2D(width), nn.ReLU())
        self.classifier = nn.Conv2D(
            width, case["in_classifier.weight"].shape[0], 1)
        own = self.state_dict()
        for name in self.names(case):
            own[_ours(name)].set_value(case[f"in_{name}"])

    @staticmethod
    def names(case):
        """The vectors' names of its values."""
        return [k.removeprefix("in_") for k in case.arrays
                if k.startswith(("in_backbone", "in_classifier"))]

    def forward(self, x):
        return [F.interpolate(self.classifier(self.backbone(x)), x.shape[2:],
                              mode="bilinear", align_corners=True)]


def _ours(name):
    return name.replace("running_mean", "_mean").replace(
        "running_var", "_variance")


class _Told(Hook):
    """Keeps what happened."""

    def __init__(self):
        self.losses, self.rates = [], []

    def after_step(self, trainer, step, terms):
        self.losses.append(float(terms["loss_sup"]))
        self.rates.append(trainer.learning_rate)


@handles("st", "train_loop", "train_loop_deeplabv2")
def train_loop(case):
    p = case.params
    v2 = p["model"] == "deeplabv2"
    config = recipe("st_deeplabv2_resnet101_voc_1_8_321x321.yml" if v2 else
                    "st_deeplabv3plus_resnet50_voc_1_8_321x321.yml")
    assert config.get("optimizer.momentum") == p["momentum"]
    rules = config.get("optimizer.custom_cfg")
    mult = rules[0]["lr_mult"] if rules else 1.0
    total = p["epochs"] * p["iters_per_epoch"]
    net = _Toy(case)
    method = Supervised(model=net, criterion=MainLogits(
        CrossEntropyLoss(ignore_index=IGNORED)))
    optimizer = SGD(momentum=p["momentum"], custom_cfg=rules,
                    weight_decay=config.get("optimizer.weight_decay"))
    config = recipe(Path(config.path).name, learning_rate=p["base_lr"] / mult)
    schedule = Builder(config).schedule(total)
    mious = []

    def evaluate(network):
        pred = network(case.tensor("in_val_x"))[0].argmax(axis=1).numpy()
        scores = Scores(confusion(pred, case["in_val_y"], 21, IGNORED))
        mious.append(scores.miou)
        return scores

    def batch(i):
        i %= p["iters_per_epoch"]
        return {"labeled": {
            "img": case.tensor(f"in_x_{i}"), "label": paddle.to_tensor(
                case[f"in_y_{i}"].astype(np.int64))}}

    told = _Told()
    with tempfile.TemporaryDirectory() as folder, \
            contextlib.redirect_stdout(io.StringIO()):
        run = Trainer(
            method=method, optimizer=optimizer(method, schedule(0)),
            schedule=schedule, total_steps=total,
            iters_per_epoch=p["iters_per_epoch"], hooks=[
                told, CheckpointHook(save_dir=folder, keep=99,
                                     every=p["iters_per_epoch"],
                                     evaluate=evaluate),
                SnapshotHook(save_dir=folder, parts=3, length=p["epochs"])])
        run.fit(batch(i) for i in range(total))
        case.check("out_losses", np.array(told.losses))
        case.check("out_lr_head", np.array(told.rates))
        case.check("out_lr_backbone", np.array(told.rates) * mult)
        case.check("out_lr_after_last", np.array([
            schedule(total) * mult, schedule(total)]))
        case.check("out_val_miou", np.array(mious))
        best = int(np.argmax(mious)) + 1
        case.check("out_best_epoch", np.array(best))
        assert case["out_saved_file"][0].split("_")[-1] == \
            f"{100 * mious[best - 1]:.2f}.pth"
        points = snapshot_points(p["epochs"], 3)
        case.check("out_checkpoint_epochs", np.array(points))
        kept = [Path(folder, "snapshots", f"iter_{n * p['iters_per_epoch']}")
                for n in points[:-1]]
        for i, path in enumerate([*kept, Path(folder, f"iter_{total}")]):
            state = load_state(str(path / "model.pdparams"))
            case.check(f"out_ck{i}_classifier.weight",
                       state["classifier.weight"])
        state = load_state(str(Path(folder, "best_model", "model.pdparams")))
        case.check("out_best_classifier.weight", state["classifier.weight"])
    own = net.state_dict()
    for name in net.names(case):
        if name == "backbone.1.running_var":
            continue
        if f"out_{name}" in case.arrays:
            case.check(f"out_{name}", own[_ours(name)])
    case.check("out_backbone.1.running_var", own["backbone.1._variance"])
    _check_biased(case)
    case.mark("out_saved_file")


def _check_biased(case):
    """What Paddle's own BatchNorm would keep follows from the other."""
    x = case["in_x_0"]
    n = len(x) * ((x.shape[2] + 1) // 2)**2
    steps = sum(1 for _ in case["out_losses"])
    decay = 0.9**steps
    start = case["in_backbone.1.running_var"] * decay
    biased = start + (case["out_backbone.1.running_var"] - start) * (n - 1) / n
    case.check("out_running_var_if_biased", biased)


@handles("st", "checkpoint_epochs")
def checkpoint_epochs(case):
    found = [snapshot_points(n, 3) for n in case["in_epochs"].tolist()]
    case.check("out_checkpoints", np.array(
        [row + [-1] * (3 - len(row)) for row in found]))


@handles("st", "reliability")
def image_reliability(case):
    scores, pairs = [], []
    for i in range(len(case["out_reliability"])):
        score, each = reliability(case[f"in_pred_{i}"],
                                  case.params["num_classes"])
        scores.append(score)
        pairs.append(each)
    case.check("out_reliability", np.array(scores))
    case.check("out_pair_miou", np.array(pairs))
    reliable, unreliable = most_reliable(scores)
    case.check("out_reliable", np.array(reliable))
    case.check("out_unreliable", np.array(unreliable))


@handles("st", "mean_iou")
def mean_iou(case):
    classes, total, mious = case.params["num_classes"], 0, []
    for b in range(len(case["out_miou"])):
        total = total + confusion(case[f"in_pred_{b}"], case[f"in_gt_{b}"],
                                  classes, IGNORED)
        scores = Scores(total)
        case.check(f"out_iou_{b}", scores.iou)
        mious.append(scores.miou)
    case.check("out_hist", total)
    case.check("out_miou", np.array(mious))


@handles("st", "tta_label")
def tta_label(case):
    net = _Toy(case)
    net.eval()
    options = recipe("st_deeplabv3plus_resnet50_voc_1_8_321x321.yml").get(
        "stages.labels.test_config")
    assert options["scales"] == case.params["scales"]
    # The picture is normalised already; what reads it wants [h, w, 3].
    image = case["in_x"][0].transpose(1, 2, 0)
    plain = Inferencer(forward=eager_forward(net), sum_softmax=False)
    classes, logits = plain(image)
    case.check("out_logits", logits[None, :, ::3, ::3])
    case.check("out_label_no_tta", classes)
    augmented = Inferencer(forward=eager_forward(net), sum_softmax=True,
                           **options)
    mask, _ = labeling.mask_of(augmented, image)
    case.check("out_label", mask)
    case.check("out_tta_sum", augmented(image)[1][None, :, ::3, ::3])
    colors = pictures.full_palette(256, None, rest=(0, 0, 0))
    png = Image.open(io.BytesIO(predictor.index_png(mask, colors)))
    assert png.mode == case["out_png_mode"]
    np.testing.assert_array_equal(np.array(png), mask)
    np.testing.assert_array_equal(png.getpalette(), case["out_palette"])
    # Named after the image; VOC's masks have its stem.
    name, = labeling.mask_names([str(case["in_id_line"]).split()[0]])
    assert Path(name).name == case["out_file_name"]
    assert not net.training
    case.mark("out_png_mode", "out_palette", "out_file_name", "out_calls")


class _Tracer:
    """Runs stages and writes down what they did, as the vectors do."""

    def __init__(self, config):
        self.pipeline = Pipeline(config, engine="eager")
        self.batch = config.get("batch_size")
        self.nets, self.steps, self.events = [], {}, []
        self.trainings, self.networks = [], []

    def run(self):
        fit, network = training.Trainer.fit, labeling_stages.trained \
            .build_network

        def traced_fit(trainer, loader, start=0):
            self.trainings.append((trainer, loader))
            fit(trainer, loader, start)

        def traced_network(config, path):
            self.networks.append(Path(path))
            return network(config, path)

        with mock.patch.object(training.Trainer, "fit", traced_fit), \
                mock.patch.object(labeling_stages.trained, "build_network",
                                  traced_network), \
                contextlib.redirect_stdout(io.StringIO()):
            for name, stage in self.pipeline.context.stages.items():
                self.trainings.clear()
                self.networks.clear()
                self.pipeline.run(name)
                self._tell(name, stage)
        return self.events

    def _loader(self, mode, ids, whole, training):
        batch = self.batch if training else 1
        self.events.append(f"dataset mode={mode} ids={ids}")
        self.events.append(
            f"loader mode={mode} ids={whole} batch={batch} "
            f"shuffle={int(training)} drop_last={int(training)} "
            f"steps={whole // batch}")

    def _tell(self, name, stage):
        folder = self.pipeline.context.folder(name)
        if isinstance(stage, training_stage.Train):
            self._tell_training(name, stage)
        elif stage.makes_labels:
            rows = labeling.read_labels(folder)
            self._loader("label", len(rows), len(rows), False)
            net = self.nets.index(stage.network) + 1
            (path,) = self.networks
            assert path.parent.name == "best_model"
            self.events.append(f"label net={net} epoch=* images={len(rows)} "
                               f"tta={int(bool(stage.test_config))}")
            written = sorted(p.name for p in (folder / "masks").iterdir())
            self.events.append(f"label_wrote {','.join(written)}")
        else:
            lists = {part: (folder / f"{part}.txt").read_text().split()
                     for part in labeling_stages.PARTS}
            count = sum(map(len, lists.values()))
            self._loader("label", count, count, False)
            net, steps = self.nets.index(stage.network) + 1, self.steps[
                stage.network]
            epochs = [int(p.parent.name.split("_")[1]) // steps
                      for p in self.networks]
            self.events.append(
                f"select nets={','.join(f'{net}@{e}' for e in epochs)} "
                f"images={count} tta={int(bool(stage.test_config))}")
            self.events += [f"{part} {','.join(names)}"
                            for part, names in lists.items()]

    def _tell_training(self, name, stage):
        (trainer, loader), = self.trainings
        mixed = loader.items.datasets["labeled"]
        if not self.nets:
            count = len(Builder(self.pipeline.context.config).val_dataset())
            self._loader("val", count, count, False)
        pseudo = len(mixed.parts) > 1
        assert loader.keys.streams["labeled"].iters_per_epoch == \
            trainer.iters_per_epoch == len(mixed) // self.batch
        self._loader("semi_train" if pseudo else "train", len(mixed)
                     if pseudo else len(mixed.parts[0]), len(mixed), True)
        self.nets.append(name)
        self.steps[name] = trainer.iters_per_epoch
        epochs = trainer.total_steps // trainer.iters_per_epoch
        net = len(self.nets)
        self.events += [
            f"new_net id={net}",
            f"train_begin net={net} snapshots={int(bool(stage.snapshots))} "
            f"epochs={epochs} steps_per_epoch={trainer.iters_per_epoch}"]
        end = f"train_end net={net} best_epoch=*"
        if stage.snapshots:
            end += " checkpoints=" + ",".join(
                map(str, snapshot_points(epochs, stage.snapshots)))
        self.events.append(end)


def _settled(events):
    """Events without what the toy weights decide: epochs and sets."""
    found = []
    for event in events:
        event = re.sub(r"\b(best_epoch|epoch)=\d+", r"\1=*", event)
        if event.startswith(("reliable", "unreliable", "label_wrote")):
            kind, names = event.split(" ")
            event = f"{kind} {len(names.split(','))}"
        found.append(event)
    return found


@handles("st", "pipeline_st", "pipeline_stpp")
def pipeline(case):
    kind = "stpp" if case.params["plus"] else "st"
    with tempfile.TemporaryDirectory() as folder:
        config = Config.load(staged.config(
            Path(folder), kind, case["in_L_U_V"].tolist(), iters=None,
            batch_size=int(case["in_batch"]), do_eval=True,
            epochs=int(case["in_epochs"]), save_interval=2))
        for stage in config.tree["stages"].values():
            if stage["type"] == "Label":
                stage["weights"] = "best"  # as the release
        # The release keeps ST's copies too, and does not read them.
        config.tree["stages"]["teacher"]["snapshots"] = 3
        check_config(config)
        events = _Tracer(config).run()
    assert _settled(events) == _settled(case["out_events"].tolist())
    written = {kind: [set(e.split(" ")[1].split(",")) for e in events
                      if e.startswith(f"{kind} ")]
               for kind in ("reliable", "unreliable", "label_wrote")}
    if case.params["plus"]:
        assert written["label_wrote"] == [*written["reliable"],
                                          *written["unreliable"]]
    assert len(set.union(*written["label_wrote"])) == case["in_L_U_V"][1]
    case.mark("out_events", "out_val_miou")

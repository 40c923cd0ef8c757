# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every method in one process, then by the launcher in each of two.

    method_ranks.py FOLDER

Alone it writes the gradients that two processes shall have; two processes
compare theirs. Each method is run twice:

"halves": as trained, with all its draws, dropout and BatchNorm. Its gradient
shall be the mean of those of both processes' batches, each of which one
process finds alone; memories get the rows of both.

"whole": with frozen BatchNorm, its gradient shall be that of one process with
both batches in one. Draws that depend on the batch are replaced by ones that
do not, and both batches have the same number of all pixels over which some
loss is a mean: see `WHOLE`.
"""

import inspect
import json
import sys
import zlib
from pathlib import Path

from contrib_semiseg import environment

environment.prepare()

import numpy as np  # noqa: E402
import paddle  # noqa: E402
import yaml  # noqa: E402

import contrib_semiseg.components  # noqa: E402, F401
from contrib_semiseg.cvlibs.builder import Builder  # noqa: E402
from contrib_semiseg.cvlibs.config import Config  # noqa: E402
from contrib_semiseg.cvlibs.manager import METHODS  # noqa: E402
from contrib_semiseg.engine import distributed, training  # noqa: E402
from contrib_semiseg.engine.optimizer import SGD  # noqa: E402
from contrib_semiseg.engine.trainer import Trainer, seed_step  # noqa: E402
from contrib_semiseg.methods import cac, class_memory, u2pl  # noqa: E402
from contrib_semiseg.methods.base import Step  # noqa: E402
from contrib_semiseg.models import DeepLabV3Plus, SmallResNet  # noqa: E402
from contrib_semiseg.transforms.crops import OverlapCrops  # noqa: E402
from tests.support import strong, tiny  # noqa: E402

CLASSES, SIZE, EACH = 3, 24, 2  # EACH: images of a process
VIEWS = ("weak", "strong1", "strong2", "view1", "view2", "img")
IT = 5
STEP = Step(it=IT, total=20, epoch=1, epochs=4, iters_per_epoch=5)


def network(**options):
    return DeepLabV3Plus(
        num_classes=CLASSES, backbone=SmallResNet(channels=[4, 6, 8, 8, 8]),
        aspp="branch_norm", aspp_channels=8, aspp_rates=[1, 2],
        low_channels=4, decoder_channels=8, **options)


def data(seed=0):
    """Both batches: images, masks, and as many ignored pixels in each."""
    rng = np.random.default_rng(seed)
    count = 2 * EACH
    # Labels of the score maps' size, each class as often in each batch.
    label = np.stack([rng.permutation(np.arange(EACH * 36) % CLASSES).reshape(
        EACH, 6, 6) for _ in range(2)]).reshape(count, 6, 6)
    label = label.repeat(4, axis=1).repeat(4, axis=2).astype("int64")
    streams = {}
    for stream in ("labeled", "unlabeled", "source"):
        found = {view: rng.normal(size=(count, 3, SIZE, SIZE)).astype(
            "float32") for view in VIEWS}
        valid = np.ones([count, SIZE, SIZE], bool)
        for image, columns in enumerate(rng.permutation(4)):
            valid[image, :, SIZE - columns:] = False
        valid[EACH:] = valid[:EACH, :, ::-1]
        masks = rng.random((3, count, 1, SIZE // 4, SIZE // 4)) < 0.4
        masks = masks.repeat(4, axis=3).repeat(4, axis=4).astype("uint8")
        found.update(valid=valid, mask=masks[0], mask1=masks[1],
                     mask2=masks[2])
        streams[stream] = found
    # As many pixels stay valid wherever the source is pasted in.
    streams["source"]["valid"] = streams["unlabeled"]["valid"]
    streams["labeled"].update(whole_label=label, label=np.where(
        streams["labeled"]["valid"], label, 255))
    # Where each crop overlaps the other one: rows and columns of pixels.
    crops = OverlapCrops(crop_size=[SIZE, SIZE], min_iou=0.0)
    pairs = [crops.draw(rng, 32, 32) for _ in range(count)]
    places = [crops.geometry(pair, 32, 32) for pair in pairs]
    for v, view in enumerate(("view1", "view2")):
        for key in crops.adds:
            streams["unlabeled"][f"{view}_{key}"] = np.stack(
                [place[v][key] for place in places])
    return streams


def share(streams, part=None):
    """The batch of a process, or both in one."""
    rows = slice(None) if part is None else slice(part * EACH,
                                                  (part + 1) * EACH)
    return {stream: {key: paddle.to_tensor(np.ascontiguousarray(value[rows]))
                     for key, value in keys.items()}
            for stream, keys in streams.items()}


# Arguments of the methods; where they are left out, the defaults hold.
MIXED = {"conf_thresh": 0.4, "pixel_weight": "confidence_power",
         "ema_decay": 0.9}
OPTIONS = {
    "FixMatch": {"conf_thresh": 0.4}, "UniMatch": {"conf_thresh": 0.4},
    "DSSN": {"floor": 0.4},
    "CAC": {"conf_thresh": 0.0, "start_epoch": 0, "selected_num": 5},
    "U2PL": {"sup_only_epoch": 0, "low_rank": 1, "anchor_thresh": 0.2,
             "queries": 6, "negatives": 5, "strong_prob": 1.0,
             "first_bank_rows": 60, "bank_rows": 40, "low_entropy_percent":
             40, "contrast_mode": "paper"},
    "MeanTeacher": {"mask": "cut"}, "ClassMix": MIXED,
    "CTT": {**MIXED, "bank_rows": 4, "anchor_thresh": 0.5}}
HEADS = {"CAC": {"embedding": "projection", "embedding_channels": [8, 6]},
         "U2PL": {"embedding": "representation",
                  "embedding_channels": [8, 6]}}


def same(streams, stream, images=EACH):
    """Give the second batch the first `images` of the first one."""
    for value in streams[stream].values():
        value[EACH:EACH + images] = value[:images]


def by_content(feature):
    """A dropout of channels that each image decides by itself."""
    strength = feature.mean(axis=[2, 3], keepdim=True)
    kept = strength > feature.mean(axis=[1, 2, 3], keepdim=True)
    return 2 * feature * kept.astype(feature.dtype)


def without_dropout(method, streams):
    method.perturb = [by_content] * len(method.perturb)


def same_cells(method, streams):
    """All cells of the same unlabelled images: as many learn."""
    same(streams, "unlabeled")


def left_half(label):
    mask = paddle.zeros([len(label), 1, *label.shape[1:]], "uint8")
    mask[:, :, :, :SIZE // 2] = 1
    return mask


def same_neighbours(method, streams):
    """Each image is mixed with the next one, the last with the first."""
    method.views.mixing.draw = left_half
    same(streams, "unlabeled", 1)


def first_class_wins(*networks):
    for net in networks:
        net.classifier.weight.set_value(0.1 * net.classifier.weight)
        net.classifier.bias.set_value(np.array([3, 0, 0], "float32"))


def same_labeled_peers(method, streams):
    """Labelled pixels meet the banks, unlabelled ones of one class peers."""
    same_neighbours(method, streams)
    same(streams, "labeled")
    first_class_wins(method.student_l, method.student_r)
    method.contrast.conf_thresh = 2.0  # that no soft label reaches


def same_anchors(method, streams):
    """Labelled pixels are the anchors, and all rows of a memory negatives.

    Classes 1 and 2 are pushed away from all unlabelled pixels, class 0 from
    labelled ones of other classes.
    """
    same(streams, "labeled")
    first_class_wins(method.student, method.teacher)
    label = streams["labeled"]["label"] = streams["labeled"]["whole_label"]
    counts = np.bincount(label[:, ::4, ::4].flatten())
    # Every anchor is drawn as often, and every row of a memory for each.
    method.contrast.draw = lambda count, n: paddle.arange(n) % count
    method.contrast.queries = int(np.lcm.reduce(counts))
    method.contrast.negatives = int(np.lcm(counts[1:].sum(), counts.sum()))


WHOLE = {"UniMatch": ({}, without_dropout), "DSSN": ({}, without_dropout),
         "CAC": ({"selected_num": None}, same_cells),
         "MeanTeacher": ({"pixel_weight": "none", "mixed_transforms": ()},
                         same_neighbours),
         "ClassMix": ({"mixed_transforms": ()}, same_neighbours),
         "CTT": ({"mixed_transforms": ()}, same_labeled_peers),
         "U2PL": ({"strong": "none", "anchor_thresh": 0.0,
                   "first_bank_rows": 400, "bank_rows": 400}, same_anchors)}


def freeze(layer):
    for norm in layer.sublayers():
        if hasattr(norm, "_use_global_stats"):
            norm._use_global_stats = True


def build(name, variant, images=EACH):
    """A method and the data of both processes, the same at each call."""
    paddle.seed(0)
    np.random.seed(0)
    dropout = [0, 0.1, 0.1] if variant == "halves" else [0, 0, 0]
    changes, prepare = (WHOLE.get(name, ({}, None)) if variant == "whole"
                        else ({}, None))
    options = {**OPTIONS.get(name, {}), **changes}
    cls = METHODS[name]

    def make_model():
        return network(dropout=dropout, **HEADS.get(name, {}))

    offered = {
        "model": make_model(), "make_model": make_model,
        "criterion": strong.criterion(), "num_classes": CLASSES,
        "crops": OverlapCrops(crop_size=[SIZE, SIZE], min_iou=0.0),
        "batch_size": images}
    options.update({key: value for key, value in offered.items() if key in
                    inspect.signature(cls.__init__).parameters})
    method, streams = cls(**options), data()
    for bank in getattr(getattr(method, "contrast", None), "banks", ()):
        for queue in bank.queues:
            queue.append(feature=paddle.randn(queue.feature.shape))
    if prepare:
        prepare(method, streams)
    if variant == "whole":
        freeze(method)
    method.train()
    return method, streams


def gradients(method):
    """name -> gradient, 0 where there is none."""
    return {name: np.zeros(p.shape, "float32") if p.grad is None else
            p.grad.numpy().copy() for name, p in method.named_parameters()
            if not p.stop_gradient}


def backward(name, variant, rank, gather):
    """The gradient of a batch in this process, as if on process `rank`."""
    images = 2 * EACH if variant == "whole" else EACH
    method, streams = build(name, variant, images)
    distributed.rank = lambda: rank
    cac.gather_rows = class_memory.gather_rows = gather
    cac.processes = lambda: 2
    batch = share(streams, None if variant == "whole" else rank)
    seed_step(0, IT)
    method.total_loss(method(batch, STEP)).backward()
    return gradients(method)


def expected(name, variant):
    """The gradient that two processes shall have, found by one alone."""
    if variant == "whole":
        return backward(name, variant, 0, lambda rows: rows.detach())
    # What each brings to the memories; then with that of both.
    brought = [[], []]
    for rank in range(2):
        backward(name, variant, rank,
                 lambda rows, own=brought[rank]: own.append(rows) or rows)
    both = [paddle.concat(pair) for pair in zip(*brought)]
    halves = []
    for rank in range(2):
        left = iter(both)
        halves.append(backward(name, variant, rank,
                               lambda rows, left=left: next(left)))
    return {key: (halves[0][key] + halves[1][key]) / 2 for key in halves[0]}


def averaged(name, variant):
    """The gradient of a step of the trainer, and the method after it."""
    method, streams = build(name, variant)
    optimizer = SGD(momentum=0.9)(method, 0.1)
    trainer = Trainer(method=method, optimizer=optimizer, total_steps=20,
                      schedule=lambda step: 0.1, iters_per_epoch=5)
    assert trainer.step_of(IT) == STEP
    update, found = optimizer.step, {}

    def step():
        found.update(gradients(method))
        update()

    optimizer.step = step
    trainer.run_step([share(streams, distributed.rank())], STEP)
    return found, method


def check(name, variant, wanted):
    """This process against the gradient that it shall have."""
    found, method = averaged(name, variant)
    largest = max(abs(value).max() for value in wanted.values())
    assert largest > 1e-3, "the gradient says nothing"
    off = max(abs(found[key] - wanted[key]).max() for key in wanted)
    assert found.keys() == wanted.keys()
    # Every process goes on with the same numbers.
    bits = zlib.crc32(b"".join(value.numpy().tobytes() for value in
                               method.state_dict().values()))
    assert len(set(distributed.gather_lists([str(bits)]))) == 1, name
    print(f"{name} {variant}: off by {off:.2e} of {largest:.2e}", flush=True)
    assert off <= 1e-5 * largest, (name, variant, off)


def config(folder):
    """Write a configuration with five validation images."""
    path = tiny.config(folder)
    tree = yaml.safe_load(path.read_text())
    tree["val_dataset"]["val"] = 5
    path.write_text(yaml.safe_dump(tree))


def scores(folder):
    """Of a network on five images, which two processes cannot halve."""
    config = Config.load(folder / "tiny.yml")
    paddle.seed(3)
    builder = Builder(config)
    net = builder.make_model()
    net.eval()
    return json.dumps(training.make_evaluate(builder)(net).as_dict())


def main():
    folder = Path(sys.argv[1])
    distributed.start()
    cases = [(name, variant) for name in METHODS.components_dict
             for variant in ("halves", "whole")]
    rules = u2pl.percentiles
    alone = distributed.world() == 1
    if alone:
        config(folder)
        kept = {"scores": scores(folder)}
    else:
        kept = dict(np.load(folder / "wanted.npz"))
    for name, variant in cases:
        # Of a process' pixels: here none is dropped, all are of high entropy.
        u2pl.percentiles = rules if variant == "halves" else (
            lambda *_: [paddle.to_tensor(v) for v in (9.0, -1.0, -1.0)])
        if alone:
            kept.update({f"{name} {variant}/{key}": value for key, value in
                         expected(name, variant).items()})
        else:
            check(name, variant, {
                key.partition("/")[2]: value for key, value in kept.items()
                if key.startswith(f"{name} {variant}/")})
    if alone:
        np.savez(folder / "wanted.npz", **kept)
    else:
        assert scores(folder) == str(kept["scores"])
        print("scores are equal", flush=True)


if __name__ == "__main__":
    main()
    sys.exit(0)

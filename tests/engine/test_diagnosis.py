# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The diagnosis sees what is right and wrong, and training does not see it."""

import json
import random

import numpy as np
import paddle
import pytest

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs import manager
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError, DataError
from contrib_semiseg.engine import diagnosis, training
from contrib_semiseg.engine.diagnosis import DiagnosisHook
from contrib_semiseg.methods.base import Step
from tests.engine.test_resume_methods import EMBEDDING, PROJECTION, config
from tests.support import tiny
from tests.support.resumed import assert_same_end, final_bytes

LATE = Step(it=7, total=8, epoch=3, epochs=4, iters_per_epoch=2)
FIRST = Step(it=0, total=8, epoch=0, epochs=4, iters_per_epoch=2)
# Arguments of the methods, and how many networks label late and at first.
METHODS = {
    "Supervised": ({}, 1, 1), "CPS": ({}, 2, 2), "CPSCutMix": ({}, 2, 2),
    "FixMatch": ({"conf_thresh": 0.2}, 1, 1),
    "UniMatch": ({"conf_thresh": 0.2}, 1, 1),
    "DSSN": ({"selection": "threshold", "conf_thresh": 0.2}, 2, 1),
    "U2PL": ({"sup_only_epoch": 1, "low_rank": 2, "bank_rows": 50,
              "first_bank_rows": 90, "drop_percent": 60}, 1, 0),
    "CAC": ({"start_epoch": 1, "conf_thresh": 0.2}, 1, 0),
    "MeanTeacher": ({"conf_thresh": 0.2}, 1, 1),
    "ClassMix": ({"pixel_weight": "confidence_power"}, 1, 1),
    "CTT": ({"pixel_weight": "none"}, 2, 2),
}
HEADS = {"CAC": PROJECTION, "U2PL": EMBEDDING}


def built(folder, name, **options):
    method = {"type": name, **METHODS[name][0], **options}
    path = config(folder, method, **HEADS.get(name, {}))
    builder = Builder(Config.load(path))
    paddle.seed(0)
    method = builder.method()
    method.train()
    return builder, method


def hook_of(builder, folder, **options):
    options = {"every": 2, "count": 3, "save_dir": folder, **options}
    return DiagnosisHook(dataset=diagnosis.truth_of(builder), **options)


def everything(method):
    """All that training goes on from: arrays, modes, and draws."""
    arrays = {k: v.numpy().tobytes() for k, v in method.state_dict().items()}
    gradients = [p.grad is None for p in method.parameters()]
    modes = [layer.training for layer in method.sublayers(include_self=True)]
    return (arrays, gradients, modes, str(np.random.get_state()),
            random.getstate())


def test_every_method_is_here():
    assert set(METHODS) == set(manager.METHODS.components_dict)


@pytest.mark.parametrize("name", METHODS)
def test_a_diagnosis_changes_nothing(tmp_path, name):
    builder, method = built(tmp_path, name)
    for layer in method.sublayers()[::3]:  # each has its own mode back
        layer.training = False
    hook = hook_of(builder, tmp_path)
    paddle.seed(5)
    before = everything(method)
    quality = hook.measure(method, LATE)
    assert everything(method) == before
    counts = dict(zip(("pixels", "labelled"), quality.counts.sum(axis=1)))
    networks = METHODS[name][1]
    assert counts["pixels"] == counts["labelled"] == networks * 3 * 32 * 32
    np.testing.assert_array_equal(
        hook.measure(method, LATE).counts, quality.counts)
    paddle.seed(5)
    after = float(paddle.rand([1]))
    paddle.seed(5)
    hook.measure(method, LATE)
    assert float(paddle.rand([1])) == after


@pytest.mark.parametrize("name", METHODS)
def test_what_methods_say(tmp_path, name):
    _, method = built(tmp_path, name)
    method.eval()
    images = paddle.randn([2, 3, 32, 32])
    _, late, first = METHODS[name]
    assert len(method.pseudo_labels(images, FIRST)) == first
    pairs = method.pseudo_labels(images, LATE)
    assert len(pairs) == late
    for label, weight in pairs:
        assert label.shape == [2, 32, 32] and label.dtype == paddle.int64
        weight = np.broadcast_to(np.asarray(weight, np.float64),
                                 label.shape)
        assert weight.min() >= 0 and weight.max() <= 1


def probability(network, images):
    return paddle.nn.functional.softmax(network(images)[0], axis=1).numpy()


def test_weights_are_those_of_training(tmp_path):
    """Of a network that is sure of some pixels only."""
    images = paddle.randn([1, 3, 32, 32])
    for name, network, threshold in (
            ("FixMatch", "model", 0.2), ("CAC", "model", 0.2),
            ("Supervised", "model", 0.95)):
        (tmp_path / name).mkdir()
        _, method = built(tmp_path / name, name)
        method.eval()
        (label, used), = method.pseudo_labels(images, LATE)
        wanted = probability(getattr(method, network), images)
        np.testing.assert_array_equal(label.numpy(), wanted.argmax(axis=1))
        np.testing.assert_array_equal(used.numpy(),
                                      wanted.max(axis=1) >= threshold)
    (tmp_path / "mean").mkdir()
    _, method = built(tmp_path / "mean", "MeanTeacher", conf_thresh=0.17)
    method.eval()
    for parameter in method.teacher.parameters():  # unlike the student
        parameter.set_value(1.5 * parameter)
    (label, weight), = method.pseudo_labels(images, LATE)
    wanted = probability(method.teacher, images)
    np.testing.assert_array_equal(label.numpy(), wanted.argmax(axis=1))
    assert float(weight) == pytest.approx(
        (wanted.max(axis=1) >= 0.17).mean())


def test_entropies_above_the_percentile_are_left_out(tmp_path):
    _, method = built(tmp_path, "U2PL")
    method.eval()
    (_, used), = method.pseudo_labels(paddle.randn([1, 3, 32, 32]),
                                      Step(it=4, total=8, epoch=2, epochs=4,
                                           iters_per_epoch=2))
    assert float(used.astype("float32").mean()) == pytest.approx(0.8, abs=.01)


class Known:
    """Stands for a method: labels what it is told."""

    def __init__(self, labels, weight=1.0):
        self.labels, self.weight = iter(labels), weight
        self.shapes = []

    def sublayers(self):
        return []

    def eval(self):
        self.training = False

    training = True

    def pseudo_labels(self, images, step):
        self.shapes.append(images.shape)
        label = np.pad(next(self.labels), [(0, 8), (0, 8)])[None]
        return [(paddle.to_tensor(label.astype("int64")), self.weight)]


def test_labels_are_compared_with_the_masks(tmp_path):
    """Of images spread over the set, padded for the network, shared out."""
    builder, _ = built(tmp_path, "FixMatch")
    unlabeled = builder.unlabeled_dataset()
    assert all(row.mask is None for row in unlabeled.rows)
    hook = hook_of(builder, tmp_path, count=4, pad_multiple=40)
    assert hook.images == [0, 2, 4, 6]
    truth = [hook.dataset.read(i)[1] for i in hook.images]
    assert not any((a == b).all() for a in truth for b in truth if a is not b)
    method = Known(truth, 0.25)
    figures = hook.measure(method, LATE).as_dict(hook.dataset.class_names)
    assert method.shapes == [[1, 3, 40, 40]] * 4
    assert figures["precision"] == 1 and figures["coverage"] == 0.25
    wrong = [(mask + 1) % 8 for mask in truth]
    figures = hook.measure(Known(wrong), LATE).as_dict(
        hook.dataset.class_names)
    assert figures["precision"] == 0 and figures["coverage"] == 1


def test_places():
    assert diagnosis.spread(3, 9).tolist() == [0, 3, 6]
    assert diagnosis.spread(9, 3).tolist() == [0, 1, 2]
    assert diagnosis.spread(32, 355)[-1] == 343


def test_images_without_known_masks_are_refused(tmp_path):
    builder, _ = built(tmp_path, "FixMatch")
    data = builder.unlabeled_dataset()
    builder.unlabeled_dataset = lambda: data
    path = data.truth[data.rows[3].image]
    data.truth[data.rows[3].image] = path + ".gone"
    with pytest.raises(DataError, match="1 of 8 masks .* are missing"):
        diagnosis.truth_of(builder)
    del data.truth[data.rows[3].image]
    with pytest.raises(DataError, match="1 of 8 unlabelled .* no known mask"):
        diagnosis.truth_of(builder)
    builder.unlabeled_dataset = lambda: None
    with pytest.raises(ConfigError, match="needs a section unlabeled_data"):
        diagnosis.truth_of(builder)


def test_it_is_off_unless_asked_for():
    assert training.RunOptions(batch_size=1).diagnose_interval == 0
    assert {"diagnose_images", "diagnose_interval"} <= training.FREE_KEYS


def test_training_ends_with_the_same_bytes(tmp_path):
    """With and without it, in one go and resumed, memories included."""
    method = {"type": "U2PL", "sup_only_epoch": 1, "low_rank": 2,
              "first_bank_rows": 90, "bank_rows": 50, "queries": 4,
              "negatives": 3}
    path = config(tmp_path, method, **EMBEDDING)
    status, out, err = tiny.run("train.py", "--config", path)
    assert status == 0 and "[DIAGNOSIS]" not in out, err
    assert not (tmp_path / "run" / "diagnosis.jsonl").exists()
    asked = path.with_name("asked.yml")
    asked.write_text(path.read_text() + "diagnose_interval: 1\n"
                     "diagnose_images: 2\nuse_vdl: true\n")
    run = tmp_path / "asked"
    status, out, err = tiny.run("train.py", "--config", asked, "--save_dir",
                                run)
    assert status == 0, err
    assert out.count("[DIAGNOSIS]") == 8
    rows = [json.loads(line) for line in
            (run / "diagnosis.jsonl").read_text().splitlines()]
    assert [row["iter"] for row in rows] == list(range(1, 9))
    assert [row["precision"] is None for row in rows] == [True] * 4 + \
        [False] * 4, "an epoch of four steps learns from labels alone"
    assert final_bytes(run) == final_bytes(tmp_path / "run")
    assert_same_end(asked, run)


@pytest.mark.slow
def test_two_processes_diagnose_together(tmp_path):
    """And train as without it, and count what one process does."""
    path = config(tmp_path, {"type": "UniMatch", "conf_thresh": 0.1})
    status, _, err = tiny.run("train.py", "--config", path, "--iters", 1,
                              "--save_dir", tmp_path / "scenes_only")
    assert status == 0, err
    for name, opts in (("plain", []), ("asked", [
            "--opts", "diagnose_interval=3", "diagnose_images=5"])):
        (tmp_path / f"of_{name}").mkdir()
        tiny.launch(tmp_path / f"of_{name}", "train.py", "--config", path,
                    "--save_dir", tmp_path / name, *opts)
    assert final_bytes(tmp_path / "asked") == final_bytes(tmp_path / "plain")
    rows = [json.loads(line) for line in
            (tmp_path / "asked/diagnosis.jsonl").read_text().splitlines()]
    assert [row["iter"] for row in rows] == [3, 6, 8]
    for row in rows:
        assert sum(row["counts"]["pixels"]) == 5 * 32 * 32

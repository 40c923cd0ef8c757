# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Sections become objects; what is shared is handed on."""

import copy

import numpy as np
import paddle
import pytest

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs import cache, check, manager
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError, DataError
from tests.cvlibs.test_schema import GOOD


class Parts:
    """A fake component that keeps its arguments."""

    item = None

    @check.arguments
    def __init__(self, *, num_classes=0, ignore_index=0, role=None, split="-",
                 transforms=(), views=None, masks=None,
                 level: check.Range(0, 9) = 1, fail=None):
        if fail == "data":
            raise DataError("x.png: broken")
        if fail == "config":
            raise ConfigError("optimizer.custom_cfg: no rule")
        if fail:
            raise KeyError(fail)
        self.given = dict(num_classes=num_classes, ignore_index=ignore_index,
                          role=role, split=split, transforms=transforms,
                          views=views, masks=masks, level=level)


class Pair(paddle.nn.Layer):

    def __init__(self, *, make_model, criterion, ignore_index):
        super().__init__()
        self.one, self.two = make_model(), make_model()
        self.criterion, self.ignored = criterion, ignore_index


class Cut(paddle.nn.Layer):

    def __init__(self, *, crops, batch_size):
        super().__init__()
        self.given = crops, batch_size


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    for registry in (manager.DATASETS, manager.MASKS, manager.MODELS):
        monkeypatch.setitem(registry.components_dict, "Parts", Parts)
    monkeypatch.setitem(manager.METHODS.components_dict, "Pair", Pair)
    monkeypatch.setitem(manager.METHODS.components_dict, "Cut", Cut)


def builder(**sections):
    return Builder(Config({**copy.deepcopy(GOOD), **sections}, "c.yml"))


def test_datasets_get_role_and_shared_values():
    section = {"type": "Parts", "transforms": [{"type": "Normalize"}],
               "masks": {"mask": {"type": "BoxMask"}}}
    made = builder(num_classes=3, ignore_index=9, split="1_8",
                   train_dataset=section, unlabeled_dataset=section,
                   val_dataset=section)
    for dataset, role in ((made.train_dataset(), "labeled"),
                          (made.unlabeled_dataset(), "unlabeled"),
                          (made.val_dataset(), "val")):
        given = dataset.given
        assert given["role"] == role and given["split"] == "1_8"
        assert (given["num_classes"], given["ignore_index"]) == (3, 9)
        assert type(given["transforms"][0]).__name__ == "Normalize"
        assert type(given["masks"]["mask"]).__name__ == "BoxMask"
    assert made.num_classes == 3 and made.ignore_index == 9


def test_a_method_is_told_how_many_views_are_cut_and_how():
    section = {"type": "Parts", "crops": {"type": "OverlapCrops",
                                          "crop_size": [24, 16]}}
    crops, count = builder(unlabeled_dataset=section, batch_size=7, method={
        "type": "Cut"}).method().given
    assert crops.cells == (2, 3) and count == 7
    assert builder().crops() is None
    with pytest.raises(ConfigError, match=r"c.yml: unlabeled_dataset.crops."
                       r"crop_size = \[24, 9\] is not allowed; allowed: "
                       "multiples of stride = 8"):
        section["crops"]["crop_size"] = [24, 9]
        builder(unlabeled_dataset=section).crops()


def test_views_are_named_lists_of_transforms():
    section = {"type": "Parts", "views": {"weak": [], "strong": [
        {"type": "ColorJitter", "hue": 0.1}, {"type": "PadRandomCrop",
                                              "crop_size": [4, 4]}]}}
    made = builder(ignore_index=9, train_dataset={"type": "Parts"},
                   unlabeled_dataset=section, val_dataset=None)
    views = made.unlabeled_dataset().given["views"]
    assert views["weak"] == [] and list(views) == ["weak", "strong"]
    jitter, crop = views["strong"]
    assert jitter.ranges[3] == (-0.1, 0.1)
    assert crop.ignore_index == 9


def test_what_is_not_stated_keeps_the_default_of_the_constructor():
    section = {"type": "Parts"}
    made = builder(train_dataset=section, unlabeled_dataset=None,
                   val_dataset=section)
    assert made.train_dataset().given["split"] == "-"
    assert made.unlabeled_dataset() is None
    assert made.ignore_index == 255


def test_a_method_is_told_how_its_images_are_normalised():
    ops = [{"type": "RandomMirror"},
           {"type": "Normalize", "mean": [.1, .2, .3], "std": [.4, .5, .6]}]
    for transforms, expected in ((ops, (.1, .2, .3, .4, .5, .6)),
                                 (ops[:1], None)):
        made = builder(unlabeled_dataset={
            "type": "ShapeScenes", "transforms": transforms}).normalization()
        assert made is expected or np.concatenate(made).tolist() == list(
            expected)
    assert builder(unlabeled_dataset=None).normalization() is None
    method = builder(
        method={"type": "MeanTeacher", "mixed_transforms": [
            {"type": "BatchGaussianBlur", "prob": 0.25}]}, model={
                "type": "DeepLabV3Plus", "backbone": {"type": "SmallResNet"}},
        unlabeled_dataset={"type": "ShapeScenes", "transforms": ops}).method()
    assert method.views.mean.tolist() == [.1, .2, .3]
    op, = method.views.transforms
    assert type(op).__name__ == "BatchGaussianBlur" and op.prob == 0.25


def test_val_transforms_need_no_dataset():
    made = builder(val_dataset={"type": "Parts", "fail": "data",
                                "transforms": [{"type": "Normalize"}]})
    assert [type(t).__name__ for t in made.val_transforms()] == ["Normalize"]


def test_each_network_is_new_and_has_names_of_its_own():
    made = builder()
    first, second = made.make_model(), made.make_model()
    names = [{p.name for p in m.parameters()} for m in (first, second)]
    assert not names[0] & names[1]
    assert all(len(n) == len(first.parameters()) for n in names)
    assert list(first.state_dict()) == list(second.state_dict())
    # Names do not depend on what else was built in the process.
    again = {p.name for p in builder().make_model().parameters()}
    assert again == names[0]
    weights = [m.parameters()[0].numpy() for m in (first, second)]
    assert not np.array_equal(*weights)
    assert first.eval()(paddle.rand([1, 3, 32, 32]))[0].shape[1] == 8


def test_one_optimizer_keeps_both_networks_apart():
    made = builder(method={"type": "Pair"})
    method = made.method()
    x = paddle.rand([2, 3, 32, 32])
    (method.one(x)[0].mean() + method.two(x)[0].mean()).backward()
    optimizer = made.optimizer()(method, 0.1)
    optimizer.step()
    trained = [p for p in method.parameters() if p.grad is not None]
    velocities = [k for k in optimizer.state_dict() if "velocity" in k]
    assert len(velocities) == len(trained)
    assert method.ignored == 255


def test_several_losses():
    coef = [1, 0.5]
    made = builder(loss={"types": [{"type": "CrossEntropyLoss"}],
                         "coef": coef}, ignore_index=255)
    logits = paddle.rand([2, 8, 4, 4])
    label = paddle.zeros([2, 4, 4], "int64")
    label[:, 0] = 255
    criterion = made.criterion()
    assert all(loss.ignore_index == 255 for loss in criterion.losses)
    one = float(paddle.nn.functional.cross_entropy(
        logits, label, axis=1, ignore_index=255))
    assert float(criterion([logits, logits], label)) == pytest.approx(1.5 *
                                                                      one)


@pytest.mark.parametrize("section, step, rate", [
    ({"type": "PolynomialDecay", "learning_rate": 0.1, "power": 1.0,
      "end_lr": 0}, 5, 0.05),
    ({"type": "PolynomialDecay", "learning_rate": 0.1, "power": 1.0,
      "end_lr": 0, "warmup_iters": 4, "warmup_start_lr": 0.0}, 2, 0.05),
    ({"type": "PolyLR", "learning_rate": 0.1, "power": 1.0}, 5, 0.05),
    ({"type": "StepDecay", "learning_rate": 0.1, "step_size": 2}, 3, 0.01),
])
def test_schedules(section, step, rate):
    schedule = builder(lr_scheduler=section).schedule(10)
    assert schedule(step) == pytest.approx(rate)


@pytest.mark.parametrize("extra, expected", [
    ({"level": 10}, "c.yml: train_dataset.level = 10 is not allowed; "
     "allowed: a number in [0, 9]"),
    ({"fail": "key"}, "c.yml: train_dataset (Parts) cannot be built: "
     "KeyError: 'key'"),
    ({"fail": "config"}, "c.yml: optimizer.custom_cfg: no rule"),
])
def test_errors_name_file_and_key(extra, expected):
    made = builder(train_dataset={"type": "Parts", **extra})
    with pytest.raises(ConfigError) as caught:
        made.train_dataset()
    assert str(caught.value) == expected
    assert caught.value.__cause__ is not None


def test_errors_of_a_network_inside_a_method_are_named_once():
    made = builder(method={"type": "Pair"},
                   model={"type": "Parts", "fail": "weights"})
    with pytest.raises(ConfigError) as caught:
        made.method()
    assert str(caught.value) == ("c.yml: model (Parts) cannot be built: "
                                 "KeyError: 'weights'")


def test_errors_of_data_pass():
    made = builder(train_dataset={"type": "Parts", "fail": "data"})
    with pytest.raises(DataError, match="^x.png: broken$"):
        made.train_dataset()


def test_components_find_the_cache_of_the_configuration(tmp_path,
                                                        monkeypatch):
    seen = []

    class Home(paddle.nn.Layer):

        def __init__(self):
            super().__init__()
            seen.append(cache.home())

    monkeypatch.setenv("SEMISEG_HOME", str(tmp_path / "variable"))
    monkeypatch.setitem(manager.MODELS.components_dict, "Home", Home)
    for options in ({"cache_dir": str(tmp_path / "key")}, {"cache_dir": None},
                    {}):
        builder(model={"type": "Home"}, **options).make_model()
    assert [p.name for p in seen] == ["key", "variable", "variable"]
    assert cache.home().name == "variable"


def test_building_leaves_the_configuration_alone():
    made = builder()
    before = copy.deepcopy(made.config.tree)
    made.method()
    made.schedule(10)
    assert made.config.tree == before

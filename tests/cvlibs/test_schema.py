# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Every mistake in a configuration is one helpful line."""

import copy

import pytest
import yaml

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs import manager, schema
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError

GOOD = yaml.safe_load("""
num_classes: 8
batch_size: 4
iters: 100
train_dataset:
  type: ShapeScenes
  transforms: [{type: RandomMirror}, {type: Normalize}]
val_dataset: {type: ShapeScenes, transforms: [{type: Normalize}]}
unlabeled_dataset: {type: ShapeScenes, masks: {mask: {type: BoxMask}}}
model:
  type: DeepLabV3P
  backbone: {type: MobileNetV2_x0_25}
  backbone_indices: [0, 3]
method: {type: CPS}
optimizer: {type: SGD, momentum: 0.9, weight_decay: 4.0e-5}
lr_scheduler: {type: PolynomialDecay, learning_rate: 0.01, power: 0.9}
loss: {types: [{type: CrossEntropyLoss}], coef: [1]}
""")


def changed(*options):
    config = Config(copy.deepcopy(GOOD), "c.yml")
    for key, _, value in [o.partition("=") for o in options]:
        value = yaml.safe_load(value)
        # Not merged into the old value, as options are.
        config._override([(key, None), (key, value)], "--opts")
    return config


def message_of(config, need=schema.TRAIN):
    with pytest.raises(ConfigError) as caught:
        schema.check_config(config, need)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("options", [
    [],
    ["method.type=CPSCutMix", "method.cps_weight=1.5"],
    ["method.type=Supervised", "unlabeled_dataset=null"],
    ["lr_scheduler.warmup_iters=10", "lr_scheduler.warmup_start_lr=1.0e-5"],
    ["lr_scheduler={type: StepDecay, learning_rate: 0.1, step_size: 3}"],
    ["lr_scheduler={type: PolyLR, learning_rate: 0.1}"],
    ["optimizer={type: SGD, custom_cfg: [{name: backbone, lr_mult: 0.1}]}"],
    # Sections as PaddleSeg's own configurations hold them.
    ["model={type: PSPNet, backbone: {type: ResNet50_vd, output_stride: 8, "
     "pretrained: null}, enable_auxiliary_loss: true, align_corners: false}",
     "loss.coef=[1, 0.4]"],
    ["model={type: OCRNet, backbone: {type: HRNet_W18}, "
     "backbone_indices: [0]}", "loss.coef=[1, 0.4]"],
    ["model={type: SegFormer, backbone: {type: MixVisionTransformer_B0}, "
     "embedding_dim: 256, num_classes: 8}"],
    ["loss={types: [{type: MixedLoss, losses: [{type: CrossEntropyLoss}, "
     "{type: LovaszSoftmaxLoss}], coef: [0.8, 0.2]}], coef: [1]}"],
    ["loss.types.0.ignore_index=255"],
    ["train_dataset={type: Dataset, dataset_root: d, train_path: t.txt, "
     "mode: train, num_classes: 8, transforms: [{type: ResizeStepScaling, "
     "min_scale_factor: 0.5}, {type: RandomPaddingCrop, crop_size: [64, 64]},"
     " {type: RandomDistort, brightness_range: 0.4}, {type: Normalize}]}",
     "val_dataset={type: Dataset, dataset_root: d, val_path: v.txt, "
     "mode: val, num_classes: 8, transforms: [{type: Normalize}]}"],
    ["test_config={is_slide: true, crop_size: [64, 64], stride: [42, 42], "
     "aug_eval: true, scales: [0.5, 1], flip_horizontal: true}"],
    ["num_classes=null", "seed=0", "device=gpu:1", "split=null"],
    ["test_config={is_slide: true, crop_size: [9, 9], border: cut, "
     "sum_softmax: true, center_crop: false}"],
    ["test_config={center_crop: true, crop_size: [9, 9], pad_label: 0}",
     "train_dataset={type: ListDataset, dataset_root: d, list_file: l.txt, "
     "num_classes: 8, mask_replace: {a: b, c/: d/}, transforms: [{type: "
     "Normalize}, {type: RandomSpreadScale}, {type: CenterPad, size: [9, 9], "
     "pad_label: 0}, {type: RandomCrop, crop_size: [9, 9], inside: true}]}",
     "unlabeled_dataset.list_resampling=true"],
    ["unlabeled_dataset.views={img: [{type: ColorJitter, prob: 0.5}, {type: "
     "RandomGray}, {type: RandomGaussianBlur}, {type: RandomIntensity, ops: "
     "[hue, blur]}, {type: Normalize}], other: []}",
     "unlabeled_dataset.transforms=[{type: RandomLongSide}, {type: "
     "PadRandomCrop, crop_size: [64, 64]}]",
     "unlabeled_dataset.joint_order=true",
     "unlabeled_dataset.masks={mask: {type: RatioBoxMask, max_area: 0.3}}"],
    ["method={type: ClassMix, mixed_transforms: []}"],
    ["method={type: CTT, mixed_transforms: [{type: BatchColorJitter, hue: 0}]"
     ", temperatures: [0.2, 0.3], pretrained_l: w.pth}",
     "test_config={pad_to: [505, 505], score_size: null}"],
    ["iters_per_epoch=9", "epoch_cycle=replay",
     "test_config={pad_multiple: 8}"],
    ["epoch_cycle=fresh"],
    ["cache_dir=~/cache"],
    ["cache_dir=null"],
])
def test_accepted(options):
    config = changed(*options)
    if "num_classes=null" in options:
        del config.tree["num_classes"], config.tree["split"]
    schema.check_config(config)


@pytest.mark.parametrize("option, expected", [
    ("method={type: CTT, mixed_transforms: [{type: ColorJitter}]}",
     "method.mixed_transforms.0.type = 'ColorJitter' is unknown; allowed: "
     "BatchColorJitter, BatchGaussianBlur; did you mean 'BatchColorJitter'?"),
    ("method={type: MeanTeacher, mixed_transforms: {type: BatchColorJitter}}",
     "method.mixed_transforms is not allowed; allowed: a list of components "
     "with a type"),
    ("method={type: CTT, normalization: 1}", "method.normalization = 1 is not "
     "set here: it comes from Normalize in unlabeled_dataset.transforms"),
    ("bach_size=4", "--opts: bach_size = 4 is not a key of a configuration; "
     "allowed: ... did you mean 'batch_size'?"),
    ("metod.type=CPS", "--opts: metod is not a key of a configuration; "
     "allowed: ... did you mean 'method'?"),
    ("batch_size=0", "--opts: batch_size = 0 is not allowed; allowed: an "
     "integer in [1, inf)"),
    ("batch_size=true", "--opts: batch_size = true is not allowed; ..."),
    ("iters=2.5", "--opts: iters = 2.5 is not allowed; allowed: an integer"),
    ("seed=-1", "--opts: seed = -1 is not allowed; ..."),
    ("precision=fp61", "precision = 'fp61' is not allowed; allowed: fp32, "
     "fp16, bf16; did you mean 'fp16'?"),
    ("amp_level=O3", "amp_level = 'O3' is not allowed; allowed: O1, O2"),
    ("device=gpus", "device = 'gpus' is not allowed; allowed: cpu, gpu, "
     "gpu:N, auto"),
    ("do_eval='false'", "do_eval = 'false' is not allowed; ..."),
    ("split=8", "split = 8 is not allowed; allowed: a text"),
    ("cache_dir=8", "cache_dir = 8 is not allowed; allowed: a text or null"),
    ("split='1_8'", "--opts: split = '1_8' is read by no dataset here; "
     "datasets with a split: ... CamVid"),
    ("num_classes=7", "--opts: num_classes = 7 is not allowed; allowed: 8, "
     "for train_dataset.type = 'ShapeScenes'"),
    ("model.num_classes=7", "--opts: model.num_classes = 7 does not agree "
     "with num_classes = 8 in c.yml; state num_classes once, at the top"),
    ("loss.types.0.ignore_index=0", "--opts: loss.types.0.ignore_index = 0 "
     "is not allowed; allowed: 255, for train_dataset.type = 'ShapeScenes'"),
    ("loss.types.0={type: MixedLoss, losses: [{type: CrossEntropyLoss, "
     "ignore_index: 9}], coef: [1]}", "--opts: "
     "loss.types.0.losses.0.ignore_index = 9 is not allowed; allowed: 255"),
    ("method=CPS", "--opts: method = 'CPS' is no section with a type; "
     "allowed types: ... CPS, CPSCutMix, ... write {type: CPS}"),
    ("method={cps_weight: 1}", "--opts: method has no type; allowed types: "
     "... CPS, ..."),
    ("method=[CPS]", "method = ['CPS'] is no section with a type; ..."),
    ("method.type=[CPS]", "method.type = ['CPS'] is unknown; allowed: ... CPS"),
    ("method.type=CPSCutMx", "--opts: method.type = 'CPSCutMx' is unknown; "
     "allowed: ... CPS, CPSCutMix, ... did you mean 'CPSCutMix'?"),
    ("method.cps_wieght=2", "--opts: method.cps_wieght = 2 is not an "
     "argument of CPS; allowed: cps_weight, grad_scale; did you mean "
     "'cps_weight'?"),
    ("method.cps_weight=-1", "--opts: method.cps_weight = -1 is not "
     "allowed; allowed: a number in [0, inf)"),
    ("method.criterion=3", "--opts: method.criterion = 3 is not set here: "
     "it comes from the section loss"),
    ("train_dataset.role=val", "train_dataset.role = 'val' is not set here"),
    ("train_dataset.split='1_8'", "train_dataset.split = '1_8' is not an "
     "argument of ShapeScenes; ..."),
    ("train_dataset.type=ShapeScene", "did you mean 'ShapeScenes'?"),
    ("train_dataset={type: ListDataset}", "--opts: train_dataset "
     "(ListDataset) lacks the argument dataset_root"),
    ("train_dataset.transform=[]", "is not an argument of ShapeScenes; "
     "allowed: ... did you mean 'transforms'?"),
    ("train_dataset.transforms=Normalize", "train_dataset.transforms = "
     "'Normalize' is not allowed; allowed: a list of components"),
    ("train_dataset.transforms.0=Normalize", "train_dataset.transforms.0 = "
     "'Normalize' is no section with a type; ... write {type: Normalize}"),
    ("train_dataset.transforms.0.prob=2", "--opts: "
     "train_dataset.transforms.0.prob = 2 is not allowed; allowed: a number "
     "in [0.0, 1.0]"),
    ("train_dataset.transforms.1.type=Normalise", "did you mean 'Normalize'"),
    ("unlabeled_dataset.masks.mask.type=BoxMsk", "--opts: "
     "unlabeled_dataset.masks.mask.type = 'BoxMsk' is unknown; allowed: "
     "BoxMask, ... did you mean 'BoxMask'?"),
    ("unlabeled_dataset.masks=[]", "allowed: named sections"),
    ("unlabeled_dataset.masks={type: {type: BoxMask}}", "--opts: "
     "unlabeled_dataset.masks is not allowed; allowed: named sections"),
    ("unlabeled_dataset.views=[]", "--opts: unlabeled_dataset.views = [] is "
     "not allowed; allowed: named lists of components with a type"),
    ("unlabeled_dataset.views={type: []}", "allowed: named lists"),
    ("unlabeled_dataset.views={img: {type: Normalize}}", "--opts: "
     "unlabeled_dataset.views.img is not allowed; allowed: a list of"),
    ("unlabeled_dataset.views.img=null", "unlabeled_dataset.views.img = null "
     "is not allowed; allowed: a list of components"),
    ("unlabeled_dataset.views.img=[{type: ColorJiter}]", "--opts: "
     "unlabeled_dataset.views.img.0.type = 'ColorJiter' is unknown; ... did "
     "you mean 'ColorJitter'?"),
    ("unlabeled_dataset.views.img=[{type: ColorJitter, hue: 0.7}]", "--opts: "
     "unlabeled_dataset.views.img.0.hue = 0.7 is not allowed; allowed: a "
     "number in [0.0, 0.5]"),
    ("unlabeled_dataset.views.img=[{type: RandomIntensity, ops: [invert]}]",
     "unlabeled_dataset.views.img.0.ops = ['invert'] is not allowed; "
     "allowed: a list of identity, autocontrast,"),
    ("unlabeled_dataset.views.weak=[]", ": unlabeled_dataset lacks "
     "views.img, which method.type = 'CPS' needs; for example views: {img: "),
    ("train_dataset={type: ListDataset, dataset_root: d, mask_replace: "
     "{a: 1}}", "train_dataset.mask_replace is not allowed; allowed: texts "
     "by text, {old: new} or null"),
    ("test_config={pad_label: 256}", "an integer in [0, 255] or null"),
    ("unlabeled_dataset.list_resampling=1", "allowed: true, false"),
    ("unlabeled_dataset.joint_order=1", "is not allowed; allowed: true, "),
    ("unlabeled_dataset=null", "unlabeled_dataset = null is missing; "
     "method.type = 'CPS' needs it"),
    ("model.type=DeepLabV3Pus", "is unknown; allowed: ... in all); did you "
     "mean 'DeepLabV3Plus'?"),
    ("model.backbone=ResNet50_vd", "--opts: model.backbone = 'ResNet50_vd' "
     "is no section with a type; ... write {type: ResNet50_vd}"),
    ("model.backbone.type=MobileNetV2_x0_2", "--opts: model.backbone.type = "
     "'MobileNetV2_x0_2' is unknown; allowed: MobileNetV2_x0_25, ..."),
    ("model.backbone={type: ResNet50_vd, output_strid: 8}", "--opts: "
     "model.backbone.output_strid = 8 is not an argument of ResNet50_vd; "
     "allowed: ... did you mean 'output_stride'?"),
    ("model.aspp_ratio=4", "did you mean 'aspp_ratios'?"),
    ("model.align_corners='yes'", "--opts: model.align_corners = 'yes' is a "
     "text; allowed: true, false"),
    ("model.aspp_out_channels='256'", "--opts: model.aspp_out_channels = "
     "'256' is no number; allowed: a number such as 256"),
    ("model={type: PSPNet}", "--opts: model (PSPNet) lacks the argument "
     "backbone"),
    ("optimizer.type=SDG", "optimizer.type = 'SDG' is unknown; allowed: "
     "Adam, AdamW, Momentum, SGD; did you mean 'SGD'?"),
    ("optimizer.momentum=ten", "optimizer.momentum = 'ten' is not allowed; "
     "allowed: a number in [0, 1]"),
    ("lr_scheduler.type=PolyLr", "did you mean 'PolyLR'?"),
    ("lr_scheduler.powr=1", "lr_scheduler.powr = 1 is not an argument of "
     "PolynomialDecay; allowed: ... did you mean 'power'?"),
    ("lr_scheduler.warmup_iters=-1", "lr_scheduler.warmup_iters = -1 is not"),
    ("lr_scheduler={type: StepDecay, learning_rate: 1}", "--opts: "
     "lr_scheduler (StepDecay) lacks the argument step_size"),
    ("loss=3", "loss = 3 is not allowed; allowed: a section of coef, types"),
    ("loss.weights=3", "loss.weights = 3 is not a key of loss; allowed: "
     "coef, types"),
    ("loss.coef=1", "loss.coef = 1 is not allowed; allowed: a list"),
    ("loss.types=[]", "loss.types = [] is missing or no list; allowed: ..."),
    ("loss.types=[{type: DiceLoss}, {type: DiceLoss}]", "loss.coef = [1] has "
     "1 items for 2 loss types; allowed: as many, or a single type"),
    ("loss.types.0.type=CrossEntropy", "--opts: loss.types.0.type = "
     "'CrossEntropy' is unknown; ... did you mean 'CrossEntropyLoss'?"),
    ("loss.types.0={type: MixedLoss, losses: [{type: Dice}], coef: [1]}",
     "--opts: loss.types.0.losses.0.type = 'Dice' is unknown; ... "
     "'DiceLoss'?"),
    ("test_config.crop=[3, 4]", "test_config.crop = [3, 4] is not a key of "
     "test_config; allowed: ... did you mean 'crop_size'?"),
    ("test_config.is_slide=1", "test_config.is_slide = 1 is not allowed"),
    ("test_config.scales=[0]", "test_config.scales = [0] is not allowed"),
    ("test_config.border=shift", "test_config.border = 'shift' is not "
     "allowed; allowed: move, cut"),
    ("test_config.pad_multiple=0", "test_config.pad_multiple = 0 is not "
     "allowed; allowed: an integer in [1, inf)"),
    ("iters_per_epoch=0", "iters_per_epoch = 0 is not allowed; allowed: an "
     "integer in [1, inf)"),
    ("epoch_cycle=replays", "epoch_cycle = 'replays' is not allowed; "
     "allowed: fresh, replay; did you mean 'replay'?"),
    ("epoch_cycle=replay", "epoch_cycle = 'replay' has no effect without "
     "iters_per_epoch"),
    ("unlabeled_dataset.crops={type: OverlapCrop}", "--opts: "
     "unlabeled_dataset.crops.type = 'OverlapCrop' is unknown; allowed: "
     "OverlapCrops; did you mean 'OverlapCrops'?"),
    ("unlabeled_dataset.crops={type: OverlapCrops}", "unlabeled_dataset.crops"
     " (OverlapCrops) lacks the argument crop_size; allowed: a list of 2"),
    ("unlabeled_dataset.crops={type: OverlapCrops, crop_size: [8, 8], "
     "min_iou: 2}", "unlabeled_dataset.crops.min_iou = 2 is not allowed"),
    ("method.batch_size=3", "method.batch_size = 3 is not an argument of"),
    ("test_config=3", "test_config = 3 is not allowed; allowed: a section"),
])
def test_refused(option, expected):
    message = message_of(changed(option))
    place = 0
    for part in expected.split("..."):
        found = message.find(part.strip(), place)
        assert found >= 0, f"{part!r} is not in: {message}"
        place = found + len(part.strip())


def test_crops_serve_what_they_say_of_the_views():
    method = "method={type: CAC}"
    message = message_of(changed(method))
    assert "lacks views.view1, which method.type = 'CAC' needs" in message
    views = "unlabeled_dataset.views={view1: [], view2: []}"
    assert ("unlabeled_dataset lacks crops, which method.type = 'CAC' needs; "
            "for example crops: {type: OverlapCrops, crop_size: [64, 64]}"
            ) in message_of(changed(method, views))
    crops = "unlabeled_dataset.crops={type: OverlapCrops, crop_size: [8, 8]}"
    schema.check_config(changed(method, views, crops))
    for key, source in (("batch_size", "the key batch_size"),
                        ("crops", "unlabeled_dataset.crops")):
        assert f"method.{key} = 3 is not set here: it comes from {source}" in \
            message_of(changed(f"method={{type: CAC, {key}: 3}}", views,
                               crops))


def test_epochs_of_a_fixed_length_have_no_joint_order():
    assert ("joint_order = true stands beside iters_per_epoch = 9; keep one "
            "of them") in message_of(changed(
                "iters_per_epoch=9", "unlabeled_dataset.joint_order=true"))


@pytest.mark.parametrize("key", sorted(
    set(GOOD) - {"num_classes", "val_dataset"}))
def test_missing(key):
    config = changed()
    del config.tree[key]
    message = message_of(config)
    assert message.startswith(f"c.yml: {key} is missing"), message


def test_what_is_needed_depends_on_the_command():
    tree = {k: GOOD[k] for k in ("model", "num_classes", "val_dataset")}
    schema.check_config(Config(dict(tree), "c.yml"), schema.EVALUATE)
    del tree["val_dataset"]
    schema.check_config(Config(dict(tree), "c.yml"), schema.PREDICT)
    assert "val_dataset is missing" in message_of(
        Config(tree, "c.yml"), schema.EVALUATE)


def test_num_classes_must_be_known():
    tree = {"model": GOOD["model"]}
    assert "c.yml: num_classes is missing; state it at the top" in message_of(
        Config(tree, "c.yml"), schema.PREDICT)


def test_shared_values_must_suit_the_datasets():
    lists = "={type: ListDataset, dataset_root: d, list_file: t.txt}"
    options = [f"{name}{lists}" for name in (
        "train_dataset", "unlabeled_dataset", "val_dataset")]
    schema.check_config(changed("num_classes=255", *options))
    assert ("--opts: num_classes = 256 is not allowed; allowed: an integer "
            "in [1, 255], for train_dataset.type = 'ListDataset'"
            ) in message_of(changed("num_classes=256", *options))


def test_iters_beside_epochs():
    config = changed()
    config.tree["epochs"] = 3
    assert "epochs = 3 stands beside iters = 100 (c.yml)" in \
        message_of(config)


def test_paddlesegs_own_datasets_are_not_offered():
    message = message_of(changed("train_dataset.type=PascalVOC"))
    assert "is unknown" in message and "ShapeScenes" in message


def test_cutmix_needs_its_mask():
    config = changed("method.type=CPSCutMix")
    del config.tree["unlabeled_dataset"]["masks"]
    assert "unlabeled_dataset lacks masks.mask" in message_of(config)


class Needs:
    """A method of two views, both drawn, and of where the padding is."""

    requires = ("labeled.img", "labeled.label", "unlabeled.weak",
                "unlabeled.valid", "unlabeled.mask1", "source.weak")

    def __init__(self, *, model, criterion):
        self.model, self.criterion = model, criterion


SERVED = {"views": {"weak": [{"type": "Normalize"}]},
          "masks": {"mask1": {"type": "RatioBoxMask"}},
          "transforms": [{"type": "PadRandomCrop", "crop_size": [64, 64]}]}


@pytest.mark.parametrize("left_out, requires, lacking", [
    (None, (), None),
    ("views", (), "unlabeled_dataset lacks views.weak, which method.type = "
     "'Needs' needs; for example views: {weak: [{type: Normalize}]}"),
    ("masks", (), "unlabeled_dataset lacks masks.mask1"),
    ("transforms", (), "unlabeled_dataset lacks a transform that marks "
     "padding"),
    (None, ("source.strong",), "unlabeled_dataset lacks views.strong"),
    (None, ("source.mask1",), "unlabeled_dataset lacks masks.mask1"),
    (None, ("labeled.valid",), "train_dataset lacks a transform that marks"),
])
def test_what_a_method_reads_is_served(left_out, requires, lacking,
                                       monkeypatch):
    monkeypatch.setitem(manager.METHODS.components_dict, "Needs", Needs)
    monkeypatch.setattr(Needs, "requires", (*Needs.requires, *requires))
    config = changed("method={type: Needs}")
    config.tree["unlabeled_dataset"] = {"type": "ShapeScenes", **{
        k: v for k, v in SERVED.items() if k != left_out}}
    if lacking is None:
        schema.check_config(config)
    else:
        assert f"c.yml: {lacking}" in message_of(config)

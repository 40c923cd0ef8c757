# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import paddle
import pytest
import yaml
from paddle import nn
from paddle.nn import functional as F

import contrib_semiseg.components  # noqa: F401
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import ConfigError, UserError
from contrib_semiseg.engine import deployed, exporting, onnx_engine
from contrib_semiseg.engine import static_graph as graph
from contrib_semiseg.engine.inference import Inferencer, eager_forward
from contrib_semiseg.transforms.color import ReverseChannels

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 27, 3), np.uint8)
NORMALIZE = {"type": "Normalize", "mean": [0.5, 0.4, 0.3],
             "std": [0.2, 0.3, 0.4]}


class Net(nn.Layer):
    """Of the functions that the older form has to be told apart."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 3, stride=2, padding=1)

    def forward(self, x):
        out = self.conv(x)
        out = paddle.maximum(out, out * 0.1)
        gate = F.sigmoid(F.adaptive_avg_pool2d(out, 1))
        out = paddle.multiply(out, gate.expand_as(out))
        return [F.interpolate(out, x.shape[2:], mode="bilinear")]


@pytest.fixture
def net():
    paddle.seed(0)
    net = Net()
    net.eval()
    return net


def normalized(image=IMAGE):
    x = image / 255 - np.array(NORMALIZE["mean"])
    return np.ascontiguousarray((x / NORMALIZE["std"]).transpose(
        2, 0, 1)[None], np.float32)


def export(net, folder, **options):
    said = []
    x = normalized()
    good = exporting.export(net, folder=folder, say=said.append, **{
        "transforms": [NORMALIZE], "pair": (x, x), **options})
    return good, said


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("op", graph.OUTPUT_OPS)
def test_both_forms_and_all_outputs(net, tmp_path, op, older):
    layer = graph.Deployed(net, op)
    files = graph.save(layer, str(tmp_path / "m"), older=older)
    assert files[0].endswith(".pdmodel" if older else ".json")
    forward = deployed.paddle_forward(*files)
    for x in (normalized(), normalized()[:, :, :13, :18].repeat(2, axis=0)):
        logits, found = eager_forward(net)(x), forward(x)
        if op == "argmax":
            assert found.dtype == np.int32
            np.testing.assert_array_equal(found, logits.argmax(1))
        else:
            wanted = logits if op == "none" else \
                F.softmax(paddle.to_tensor(logits), axis=1).numpy()
            np.testing.assert_allclose(found, wanted, atol=1e-5)
    # This process goes on as before.
    assert paddle.in_dynamic_mode()
    assert float(paddle.maximum(paddle.ones([1]), paddle.zeros([1]))) == 1


def test_the_files_of_an_export(net, tmp_path):
    (tmp_path / "model.json").write_text("of another export")
    good, said = export(net, tmp_path, output_op="softmax")
    assert good and sorted(p.name for p in tmp_path.iterdir()) == [
        "deploy.yaml", "model.pdiparams", "model.pdmodel"]
    assert yaml.safe_load((tmp_path / "deploy.yaml").read_text()) == {
        "Deploy": {
            "model": "model.pdmodel", "params": "model.pdiparams",
            "transforms": [NORMALIZE], "input_shape": [None, 3, None, None],
            "output_op": "softmax", "output_dtype": "float32"}}
    assert len(said) == 2 and "input 3x20x27: largest difference" in said[0]
    assert "input 3x19x25" in said[1]
    assert "100.0000% of the pixels have the same class" in said[0]


def test_paddleseg_reads_the_file(net, tmp_path):
    """As its deploy script does, with the settings that this has."""
    import cv2
    from paddle.inference import Config as Settings
    from paddle.inference import create_predictor
    from paddleseg.deploy.infer import DeployConfig

    cv2.imwrite(str(tmp_path / "a.png"), IMAGE[:, :, ::-1])
    assert export(net, tmp_path / "out")[0]
    file = DeployConfig(str(tmp_path / "out/deploy.yaml"))
    settings = Settings(file.model, file.params)
    settings.enable_memory_optim()
    settings.switch_ir_optim(True)
    settings.disable_gpu()
    settings.disable_glog_info()
    run = create_predictor(settings)
    x = np.array([file.transforms({"img": str(tmp_path / "a.png")})["img"]])
    source = run.get_input_handle(run.get_input_names()[0])
    source.reshape(x.shape)
    source.copy_from_cpu(x)
    run.run()
    found = run.get_output_handle(run.get_output_names()[0]).copy_to_cpu()
    np.testing.assert_array_equal(
        found, eager_forward(net)(normalized()).argmax(1))


def test_an_export_as_onnx(net, tmp_path):
    pytest.importorskip("paddle2onnx")
    pytest.importorskip("onnxruntime")
    good, said = export(net, tmp_path, onnx=True, shape=(2, 3, 20, 27))
    assert good and len(said) == 2 and said[1].startswith("model.onnx")
    forward = deployed.onnx_forward(tmp_path / "model.onnx")
    x = normalized().repeat(2, axis=0)
    np.testing.assert_array_equal(forward(x),
                                  eager_forward(net)(x).argmax(1))
    with pytest.raises(Exception, match="Got invalid dimensions"):
        forward(x[:, :, :10])


def test_without_the_extra_packages_nothing_is_written(net, tmp_path,
                                                       monkeypatch):
    monkeypatch.setattr(onnx_engine, "EXTRA", ("json", "no_such_package"))
    with pytest.raises(UserError, match="pip install no_such_package"):
        export(net, tmp_path / "out", onnx=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("op", graph.OUTPUT_OPS)
def test_a_wrong_export_is_not_written(net, tmp_path, monkeypatch, op):
    assert export(net, tmp_path, output_op=op)[0]
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    right = deployed.paddle_forward

    def wrong(*files):
        def forward(x):
            out = right(*files)(x)
            out[..., :2] = out[..., :2][:, ::-1] + 1
            return out
        return forward

    monkeypatch.setattr(deployed, "paddle_forward", wrong)
    good, said = export(net, tmp_path, output_op=op)
    assert not good and "nothing was written" in said[-1]
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_picture_that_is_prepared_otherwise_is_noticed(net, tmp_path):
    x = normalized()
    good, _ = export(net, tmp_path, pair=(x, x[:, ::-1].copy()))
    assert not good and not list(tmp_path.iterdir())


def test_the_newer_form_where_the_older_is_not_possible(net, tmp_path,
                                                        monkeypatch):
    save = graph.save

    def newer_only(*args, older=False):
        if older:
            raise graph.NotSaved("no such operator")
        return save(*args)

    monkeypatch.setattr(graph, "save", newer_only)
    good, said = export(net, tmp_path)
    assert good and (tmp_path / "model.json").is_file()
    assert "no such operator" in said[-1] and "PaddleSeg's" in said[-1]
    with pytest.raises(UserError, match="--form pdmodel is not possible"):
        export(net, tmp_path, form="pdmodel")


@pytest.mark.parametrize("scale, equal, agrees", [
    (1.0, 0.9995, True), (1.0, 0.99, False), (0.5, 1.0, False)])
def test_when_a_file_agrees(scale, equal, agrees):
    assert exporting.Check("f", "s", 0.0008, scale, equal).agrees is agrees
    assert not exporting.Check("f", "s", 0.0, 1.0, 1.0, "it fails").agrees


@pytest.mark.parametrize("given, message", [
    ([1, 3, 20], "N 3 H W"), ([1, 1, 20, 27], "N 3 H W"),
    ([1, 3, 0, 27], "N 3 H W"), ([1, 3, -2, 27], "N 3 H W")])
def test_wrong_shapes(given, message):
    with pytest.raises(UserError, match=message):
        exporting.input_shape(given)
    assert exporting.input_shape(None) == (-1, 3, -1, -1)


def test_a_fixed_shape_that_the_picture_has_not(net, tmp_path):
    with pytest.raises(ConfigError, match="width is 27 after .*Resize to 32"):
        export(net, tmp_path / "out", shape=(1, 3, -1, 32))
    assert not (tmp_path / "out").exists()


def config(transforms=(), **val):
    return Config({"val_dataset": {"type": "ListDataset", **val,
                                   "transforms": list(transforms)}})


@pytest.mark.parametrize("section, message", [
    (dict(image_range=[0, 4095]), "val_dataset.image_range"),
    (dict(exif_rotation=False), "val_dataset.exif_rotation=true"),
    (dict(transforms=[{"type": "CenterPad", "size": [9, 9]}]), "CenterPad")])
def test_what_deploy_yaml_cannot_say_of_the_data(section, message):
    with pytest.raises(ConfigError, match=message):
        exporting.deploy_transforms(config(**section), {})


@pytest.mark.parametrize("options, message", [
    (dict(is_slide=True), "--opts test_config.is_slide=false"),
    (dict(aug_eval=True), "test_config.aug_eval"),
    (dict(pad_multiple=8), "--opts test_config.pad_multiple=1"),
    (dict(pad_to=[9, 9]), "--opts test_config.pad_to=null")])
def test_what_deploy_yaml_cannot_say_of_the_test(options, message):
    with pytest.raises(ConfigError, match=message):
        exporting.deploy_transforms(config(), options)


def test_reversed_channels_become_a_part_of_the_network(net, tmp_path):
    transforms, reverse = exporting.deploy_transforms(
        config([{"type": "Resize", "target_size": [16, 12]},
                {"type": "ReverseChannels"}, NORMALIZE]),
        {"score_size": [9, 9]})
    assert reverse and [item["type"] for item in transforms] == [
        "Resize", "Normalize"]
    assert transforms[1]["mean"] == [0.3, 0.4, 0.5]
    assert NORMALIZE["mean"] == [0.5, 0.4, 0.3]
    from paddleseg.transforms import Normalize, Resize

    ours = [Resize([16, 12]), ReverseChannels(), Normalize(
        mean=NORMALIZE["mean"], std=NORMALIZE["std"])]
    inferencer = Inferencer(forward=eager_forward(net), transforms=ours)
    pair = (inferencer.first_input(IMAGE),
            exporting.deployed_input(transforms, IMAGE))
    assert pair[0].shape == pair[1].shape == (1, 3, 12, 16)
    good, _ = export(net, tmp_path, pair=pair, reverse=True,
                     transforms=transforms, output_op="none")
    assert good
    good, _ = export(net, tmp_path, pair=pair, reverse=False)
    assert not good



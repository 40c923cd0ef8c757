# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A trained network ready to run: what `val.py` and `predict.py` share."""

import copy
import os

from contrib_semiseg.cvlibs import cli, manager, schema
from contrib_semiseg.cvlibs.builder import Builder
from contrib_semiseg.cvlibs.config import Config
from contrib_semiseg.cvlibs.errors import (
    ArgumentError,
    CheckpointError,
    ConfigError,
    nearest,
)
from contrib_semiseg.cvlibs.weights import fit, load_state
from contrib_semiseg.engine.inference import (
    Inferencer,
    eager_forward,
    merge_options,
)
from contrib_semiseg.engine.onnx_engine import ENGINES, choose_engine

# Where a folder may keep the weights: a network's own, or that of a run.
WEIGHTS = ("model.pdparams", os.path.join("best_model", "model.pdparams"))
_TEST_FLAGS = ("is_slide", "crop_size", "stride", "border", "sum_softmax",
               "center_crop", "aug_eval", "scales", "scaling",
               "flip_horizontal", "flip_vertical")


def add_network_options(parser):
    """Add the options that say which trained network."""
    cli.add_config_options(parser)
    parser.add_argument(
        "--model_path", required=True, metavar="PATH",
        help="weights: a file, or a folder with model.pdparams")


def add_options(parser):
    """Add the options of a command that runs a trained network.

    A default is None throughout: the configuration's `test_config` holds for
    what is not given.
    """
    add_network_options(parser)
    add = parser.add_argument
    add("--engine", default="auto", choices=ENGINES,
        help="what runs the network on a CPU; auto takes ONNX Runtime where "
        "it is installed and gives the same result (default: auto)")
    cli.add_switch(parser, "--is_slide", "cut each image into windows")
    add("--crop_size", nargs=2, type=int, metavar=("W", "H"),
        help="size of a window in pixels")
    add("--stride", nargs=2, type=int, metavar=("W", "H"),
        help="step of the windows in pixels (default: 2/3 of crop_size)")
    add("--border", choices=("move", "cut"),
        help="the last windows are moved back to end at the border, or cut "
        "by it (default: move)")
    cli.add_switch(parser, "--sum_softmax",
                   "sum probabilities instead of logits")
    parser.add_argument("--aug_eval", "--aug_pred", action="store_const",
                        const=True, help="sum over --scales and the flips")
    add("--scales", nargs="+", type=float, metavar="S",
        help="factors on the image size, with --aug_eval")
    add("--scaling", choices=("image", "input"),
        help="--scales resize the raw image, or the normalised one with its "
        "corners aligned (default: image)")
    cli.add_switch(parser, "--flip_horizontal",
                   "add the mirrored image, with --aug_eval")
    cli.add_switch(parser, "--flip_vertical",
                   "add the image upside down, with --aug_eval")


def open_config(args, need):
    """Load and check the configuration; choose the device.

    Args:
        args (Namespace): parsed by a parser that `add_options` filled.
        need (tuple[str]): the sections that must be there.

    Returns: (Config, dict): the configuration and the test options.
    Raises: ConfigError.
    """
    import contrib_semiseg.components  # noqa: F401  registers everything

    flags = {name: getattr(args, name)
             for name in ("device", "num_workers", "seed")}
    config = Config.load(args.config, args.opts, flags)
    schema.check_config(config, need)
    options = merge_options(config.get("test_config"), {
        name: getattr(args, name, None) for name in _TEST_FLAGS})
    cli.select_device(config.get("device"))
    return config, options


def weights_file(path):
    """The file that a --model_path means.

    Raises: CheckpointError, naming what is there instead.
    """
    if not os.path.isdir(path):
        return path
    for name in WEIGHTS:
        if os.path.isfile(os.path.join(path, name)):
            return os.path.join(path, name)
    names = sorted(os.listdir(path))
    found = ", ".join(names[:5]) + (", ..." if names[5:] else "")
    raise CheckpointError(f"--model_path {path} holds neither "
                          f"{' nor '.join(WEIGHTS)}; it holds: "
                          f"{found or 'nothing'}{nearest(WEIGHTS[0], names)}")


def without_pretrained(node):
    """The model section with every `pretrained` left out."""
    if not isinstance(node, dict):
        return node
    return {k: None if k == "pretrained" else without_pretrained(v)
            for k, v in node.items()}


def build_network(config, path):
    """Build the network of a configuration with trained weights.

    Args:
        config (Config): checked. Its pretrained weights are not looked for:
            the trained ones replace them.
        path (str): see `weights_file`.

    Returns: (Builder, Layer): the network is in eval mode.
    Raises: ConfigError; CheckpointError if the weights do not fit.
    """
    path = weights_file(path)
    state = load_state(path)
    config = copy.copy(config)
    config.tree = {**config.tree,
                   "model": without_pretrained(config.tree["model"])}
    builder = Builder(config)
    network = builder.make_model()
    fit(network, state, path)
    network.eval()
    return builder, network


def class_names_of(config, num_classes):
    """The validation set's names, or "class 0" and so on; one each."""
    section = config.get("val_dataset") or {}
    kind = manager.DATASETS.components_dict.get(section.get("type"))
    found = getattr(kind, "configured_names", None)
    names = None if found is None else found(section)
    return [str(name) for name in names] if names and \
        len(names) == num_classes else [
            f"class {k}" for k in range(num_classes)]


def palette_of(config):
    """The validation set's colours, or None; its files may be absent."""
    section = config.get("val_dataset") or {}
    kind = manager.DATASETS.components_dict.get(section.get("type"))
    found = getattr(kind, "configured_palette", None)
    return None if found is None else found(section)


def make_inferencer(network, options, *, transforms, engine, first_picture):
    """Put a network, its test options and its engine together.

    Args:
        network (Layer): in eval mode.
        options (dict): see `open_config`.
        transforms (list): built transforms of the validation set.
        engine (str): see `choose_engine`.
        first_picture (callable): gives uint8 [h, w, 3] for the comparison.

    Returns: (Inferencer, str): and one line about the engine.
    Raises: ConfigError for test options that do not fit together.
    """
    try:
        inferencer = Inferencer(forward=eager_forward(network),
                                transforms=transforms, **options)
    except ArgumentError as error:
        raise ConfigError(f"--{error.name} (test_config.{error.name}): {error}"
                          ) from error
    inferencer.forward, note = choose_engine(
        network, engine, lambda: inferencer.first_input(first_picture()))
    return inferencer, note

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The options of `predict.py`, and the run that they mean."""

import contextlib
from pathlib import Path

from contrib_semiseg.cvlibs import check, cli
from contrib_semiseg.cvlibs.errors import ArgumentError, ConfigError
from contrib_semiseg.engine import (
    console,
    prediction,
    predictor,
    stages,
    trained,
)

_MOST_LINES = 20  # of files that could not be read
_COUNT = check.Range(1, integer=True)


def add_options(parser):
    """Add the options that say what is read and written."""
    add = parser.add_argument
    add("--image_path", required=True, metavar="PATH",
        help="a picture, a folder, a .txt list, a glob pattern (quoted), a "
        "video, or the number of a camera")
    add("--save_dir", default="output/result", metavar="DIR",
        help="folder for the results (default: output/result)")
    add("--outputs", nargs="+", choices=predictor.SUFFIXES,
        default=list(predictor.FOLDERS), metavar="KIND",
        help=f"what is written, of {', '.join(predictor.SUFFIXES)} "
        f"(default: {' '.join(predictor.FOLDERS)})")
    add("--batch_size", type=int, metavar="N",
        help="pictures of one size, or windows, per pass of the network "
        "(default: 1)")
    cli.add_switch(parser, "--resume", "leave out what is there already")
    cli.add_switch(parser, "--no_legend",
                   "overlays without the names of the classes")
    add("--confidence_bits", type=int, choices=(8, 16), default=8,
        help="of the confidence map's grey (default: 8)")
    add("--polygon_tolerance", type=float, default=1.0, metavar="PIXELS",
        help="how far polygons may leave the edge (default: 1; 0: exact)")
    add("--polygon_min_area", type=int, default=25, metavar="PIXELS",
        help="smaller regions and holes are left out (default: 25)")
    add("--video_as", choices=("video", "frames"), default="video",
        help="how colours and overlays of a video are written (default: "
        "video)")
    add("--frames", type=int, metavar="N", help="of each video, the first N")


def _checked(args):
    for name, rule in (("batch_size", _COUNT), ("frames", _COUNT),
                       ("polygon_tolerance", check.Range(0)),
                       ("polygon_min_area", check.Range(0, integer=True))):
        value = getattr(args, name)
        if value is not None and not rule.accepts(value):
            raise ArgumentError(f"--{name}", value, rule.allowed)


def run(args, config, options, entries, read):
    """Predict.

    Args:
        args (Namespace): of a parser that `add_options` filled.
        config, options: see `trained.open_config`.
        entries (list): (path, relative name, whether it is a video).
        read (callable): path to uint8 [H, W, 3]; DataError if it cannot.

    Returns: Result.
    """
    _checked(args)
    entries = list(dict.fromkeys(entries))  # a list may name one twice
    batch = args.batch_size or options.get("batch", 1)
    options = {**options, "batch": batch}
    builder, network = trained.build_network(config, args.model_path)
    inferencer, note = trained.make_inferencer(
        network, options, transforms=builder.val_transforms(),
        engine=args.engine,
        first_picture=lambda: prediction.first_picture(entries, read))
    if "confidence" in args.outputs and not (
            inferencer.one_pass or inferencer.sums_probabilities):
        raise ConfigError("--outputs confidence: windows, scales and flips "
                          "sum logits; add --sum_softmax to sum "
                          "probabilities")
    outputs = predictor.Outputs(
        args.save_dir, kinds=list(dict.fromkeys(args.outputs)),
        names=trained.class_names_of(config, builder.num_classes),
        palette=trained.palette_of(config), with_legend=not args.no_legend,
        confidence_bits=args.confidence_bits,
        tolerance=args.polygon_tolerance, min_area=args.polygon_min_area)
    streamed = prediction.STREAMED if args.video_as == "video" else ()
    _record(args, config, options)
    console.say(note)
    items = prediction.Items(entries, outputs, streamed=streamed,
                             resume=bool(args.resume), frames=args.frames)
    if not args.resume:
        items.clear()
    going = prediction.Run(
        inferencer, items,
        prediction.PredictionJob(read, inferencer, outputs, streamed),
        workers=config.get("num_workers", 2), batch=batch)
    live = any(isinstance(path, int) for path, _, _ in entries)
    with (prediction.stopped_by_interrupt(items) if live else
          contextlib.nullcontext()):
        result = going()
    if "polygons" in outputs.kinds:
        outputs.join_polygons(items.names)
    _tell(result, outputs)
    return result


def _record(args, config, options):
    """Note the settings; with --resume they must be those of before."""
    folder = Path(args.save_dir)
    record = {
        "weights": stages.files_digest([trained.weights_file(
            args.model_path)]),
        "test_config": {k: v for k, v in options.items() if k != "batch"},
        "transforms": config.get("val_dataset.transforms"),
        "legend": not args.no_legend,
        "confidence_bits": args.confidence_bits,
        "polygons": [args.polygon_tolerance, args.polygon_min_area],
        "video_as": args.video_as}
    if not (args.resume and stages.same_record(folder, record)):
        stages.begin(folder, record)


def _tell(result, outputs):
    """Print what was done, what was not, and how busy the network was."""
    for line in result.broken[:_MOST_LINES]:
        console.say(f"could not be read: {line}")
    if result.broken[_MOST_LINES:]:
        console.say(f"... and {len(result.broken) - _MOST_LINES} more")
    if result.done:
        console.say(
            f"network busy {result.busy:.1%} of {result.seconds:.1f} s "
            f"({result.done / result.seconds:.2f} images a second)")
    console.say(
        f"{result.done} images predicted: {outputs.save_dir}/"
        f"{{{','.join(outputs.kinds)}}}" +
        (f"; {result.skipped} were done already" if result.skipped else "") +
        (f"; {len(result.broken)} could not be read" if result.broken else
         ""))

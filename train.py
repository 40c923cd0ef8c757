# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Train a method: python train.py --config configs/cps/....yml"""

from contrib_semiseg import environment

environment.prepare()

from contrib_semiseg.cvlibs import cli  # noqa: E402


def parse():
    parser = cli.Parser(description="Train a semi-supervised method.")
    cli.add_config_options(parser)
    add = parser.add_argument
    add("--iters", type=int, help="iterations of the run")
    add("--epochs", type=int, help="epochs of the run, instead of iterations")
    add("--batch_size", type=int, help="images of each stream per process")
    add("--learning_rate", type=float, help="base learning rate")
    add("--save_dir", help="folder of checkpoints and logs")
    add("--log_iters", type=int, help="iterations between log lines")
    add("--save_interval", type=int,
        help="iterations between checkpoints (and evaluations)")
    add("--keep_checkpoint_max", type=int, help="checkpoints that stay")
    add("--resume_model", help="checkpoint folder to go on from, or auto")
    add("--precision", help="fp32, fp16 or bf16 (the last two on a GPU)")
    add("--amp_level", help="O1 or O2")
    add("--stage", metavar="NAME",
        help="of a configuration with stages, this one alone")
    add("--engine", default="auto", choices=("eager", "onnxruntime", "auto"),
        help="what runs a network that labels images on a CPU; auto takes "
        "ONNX Runtime where it is installed and gives the same result")
    cli.add_switch(parser, "--do_eval", "evaluate before each checkpoint")
    cli.add_switch(parser, "--use_vdl", "write VisualDL records")
    return vars(parser.parse_args())


def main():
    flags = parse()
    path, opts = flags.pop("config"), flags.pop("opts")
    resume, stage = flags.pop("resume_model"), flags.pop("stage")
    engine = flags.pop("engine")

    import contrib_semiseg.components  # noqa: F401
    from contrib_semiseg.cvlibs.config import Config
    from contrib_semiseg.cvlibs.errors import UserError
    from contrib_semiseg.cvlibs.schema import check_config
    from contrib_semiseg.engine.stages import Pipeline
    from contrib_semiseg.engine.trainer import Stopped
    from contrib_semiseg.engine.training import train

    config = Config.load(path, opts, flags)
    check_config(config)
    cli.select_device(config.get("device"))
    staged = bool(config.get("stages"))
    if stage is not None and not staged:
        raise UserError(f"--stage {stage}: {path} has no stages")
    if resume not in (None, "auto") and staged:
        raise UserError(f"--resume_model {resume}: a run in stages goes on "
                        "by itself; leave the flag out")
    try:
        if staged:
            Pipeline(config, engine).run(stage)
        else:
            train(config, resume)
    except Stopped as stopped:
        print(f"{stopped}; go on with the same command" +
              ("" if staged else " and --resume_model auto"), flush=True)
        return 128 + stopped.number
    return 0


if __name__ == "__main__":
    cli.run(main)

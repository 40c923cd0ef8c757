# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What the command lines share: options, exit statuses, the device.

Exit status 2 is the user's to mend and comes with one line on stderr.
"""

import argparse
import errno
import os
import sys

from contrib_semiseg.cvlibs.config import is_index
from contrib_semiseg.cvlibs.errors import UserError, nearest, one_line

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_NO_READER = 128 + 13  # SIGPIPE, which not every system has


class Parser(argparse.ArgumentParser):
    """ArgumentParser with one-line errors and no abbreviated flags."""

    def __init__(self, *, description):
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message):
        first = "unrecognized arguments: "
        if message.startswith(first):
            unknown = message[len(first):].split()[0]
            flags = [f for f in self._option_string_actions if f[:2] == "--"]
            message = (f"{unknown} is not an option of {self.prog}"
                       f"{nearest(unknown.split('=')[0], flags)}")
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def add_config_options(parser):
    """Add the options of every command that reads a configuration.

    A default is None throughout: what was not given leaves the YAML alone.
    """
    parser.add_argument("--config", required=True, metavar="FILE",
                        help="configuration file (YAML)")
    parser.add_argument("--opts", nargs="+", action="extend",
                        metavar="KEY=VALUE",
                        help="override keys, e.g. train_dataset.dataset_root"
                        "=/data/voc batch_size=4")
    parser.add_argument("--device", metavar="NAME",
                        help="cpu, gpu, gpu:N or auto (default: auto)")
    parser.add_argument("--num_workers", type=int, metavar="N",
                        help="loader processes")
    parser.add_argument("--seed", type=int, metavar="N",
                        help="seed of every random draw")


def add_switch(parser, name, help):
    """Add a flag without a value that is None unless given, then True."""
    parser.add_argument(name, action="store_const", const=True, help=help)


def _disk_line(error):
    """One line for a full or unwritable disk; None for other errors."""
    if error.errno not in _DISK:
        return None
    place = f" ({error.filename})" if error.filename else ""
    hint = {errno.ENOSPC: "free some space or choose another --save_dir",
            errno.EDQUOT: "free some space or choose another --save_dir"}.get(
                error.errno, "choose another place or mend its permissions")
    return f"{error.strerror}{place}; {hint}"


def silence():
    """Send what is still printed to nowhere: its reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _reader_is_gone():
    """Whether standard output is a pipe whose other end is closed."""
    try:
        print(flush=True)  # what was refused may not be kept for a flush
    except BrokenPipeError:
        return True
    return False


def run(main):
    """Run a command and leave with its exit status.

    0 or what `main` returns; 2 and one line for a UserError (or the status
    that it has) or a disk that is full or not writable; 130 for Ctrl-C; 141
    where the reader of its output (`| head`) is gone, as in a shell.
    Other errors are bugs and keep their traceback.
    """
    status = 2
    try:
        done = main() or 0
        sys.stdout.flush()
        sys.exit(done)
    except UserError as error:
        line, status = str(error), error.status
    except BrokenPipeError:
        if not _reader_is_gone():
            raise
        silence()
        sys.exit(_NO_READER)
    except OSError as error:
        line = _disk_line(error)
        if line is None:
            raise
    except MemoryError as error:
        line = (f"there is not enough memory ({error or 'no size given'}); "
                "make batch_size, crop_size or the network smaller")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    print(f"error: {one_line(line)}", file=sys.stderr)
    sys.exit(status)


def select_device(name=None):
    """Make a device current and return its Paddle name.

    Args:
        name (str, optional): cpu, gpu, gpu:N or auto (None: auto), which
            takes a GPU if there is one.
    Raises: UserError if there is no such device.
    """
    import paddle

    name = name or "auto"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "gpu", "auto") or name.endswith(":") or \
            (index and (kind != "gpu" or not is_index(index))):
        raise UserError(f"--device {name} is unknown; allowed: cpu, gpu, "
                        f"gpu:N, auto{nearest(kind, ['cpu', 'gpu', 'auto'])}")
    built = paddle.is_compiled_with_cuda()
    count = paddle.device.cuda.device_count() if built else 0
    if kind == "auto":
        kind = name = "gpu" if count else "cpu"
    if kind == "gpu" and not count:
        why = "no GPU is visible" if built else \
            "this build of Paddle is for CPUs (see requirements-gpu.txt)"
        raise UserError(f"--device {name}: {why}; allowed here: cpu, auto")
    if index and int(index) >= count:
        raise UserError(f"--device {name}: there are {count} GPUs; allowed: "
                        f"gpu:0 to gpu:{count - 1}")
    return paddle.set_device(name)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""What the page of a comparison says of each run, kept in a file beside it.

Run folders are large and stay where they were trained; with a line for each
run a page outlives them, and runs of other machines and days are added to it.
"""

import dataclasses
import json

from contrib_semiseg.cvlibs.errors import DataError, UserError
from contrib_semiseg.cvlibs.json_rows import finite
from contrib_semiseg.cvlibs.whole_file import write_file

_QUALITY = ("precision", "coverage", "class_precision", "class_coverage",
            "learned")
_OPTIONAL = {"quality", "step_seconds", "seconds", "memory_mb", "labeled",
             "batch_size", "eval_interval", "device", "machine"}


@dataclasses.dataclass(frozen=True)
class Record:
    """One finished run in numbers.

    Attributes:
        method (str), seed (int), config (str): which run it is.
        last, best (float): mIoU of the last and of the best network, 0 to 1.
        class_iou (dict): class -> IoU of the last network, or None.
        quality (dict, optional): of its pseudo-labels, see `Run.quality`.
        step_seconds, seconds, memory_mb (float, optional): of an iteration,
            of all, and the peak.
        labeled (int, optional): images.
        iterations (list of int): of the last training, and of all of them.
        batch_size, eval_interval (int, optional): of the recipe.
        device, machine (str, optional), threads (list of str): where it was.
    """

    method: str
    seed: int
    config: str
    last: float
    best: float
    class_iou: dict
    quality: dict
    step_seconds: float
    seconds: float
    memory_mb: float
    labeled: int
    iterations: list
    batch_size: int
    eval_interval: int
    device: str
    threads: list
    machine: str

    @classmethod
    def of(cls, run, entry):
        """The record of a finished `Run`.

        Args:
            entry (dict): method, seed and config, see `Entry.write`.
        """
        where = run.main.info
        return cls(
            method=entry["method"], seed=entry["seed"],
            config=entry["config"], last=run.last, best=run.best,
            class_iou=run.class_iou,
            quality=run.quality and {key: run.quality[key]
                                     for key in _QUALITY},
            step_seconds=run.main.step_seconds, seconds=run.seconds,
            memory_mb=run.memory_mb, labeled=run.labeled,
            iterations=list(run.iterations),
            batch_size=run.config.get("batch_size"),
            eval_interval=run.config.get("save_interval"),
            device=where.get("device"),
            threads=sorted({str(p.info.get("threads")) for p in run.parts}),
            machine=where.get("machine"))

    @property
    def staged(self):
        own, all_of_them = self.iterations
        return own != all_of_them


def _fits(value, kind):
    """Whether a value of JSON is of a field's kind."""
    if kind is dict:
        return isinstance(value, dict) and all(
            v is None or isinstance(v, (bool, float, int)) or _fits(v, dict)
            for v in value.values())
    return isinstance(value, (float, int) if kind is float else kind)


def _parse(line):
    """A Record, or None of a line that is none."""
    kinds = {f.name: f.type for f in dataclasses.fields(Record)}
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or set(row) != set(kinds) or not all(
            _fits(value, kinds[key]) or (value is None and key in _OPTIONAL)
            for key, value in row.items()):
        return None
    record, quality = Record(**row), row["quality"]
    if quality is not None and not set(_QUALITY) <= set(quality):
        return None
    counts = record.iterations
    return record if len(counts) == 2 and all(
        isinstance(n, int) for n in counts) else None


def read(path):
    """The records in a file: list of Record, empty if it is missing.

    Raises: DataError for a line that is no record.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    records = [_parse(line) for line in lines]
    if None in records:
        raise DataError(f"{path}, line {records.index(None) + 1}, is no "
                        "record of a run; remove the line")
    return records


def write(path, records):
    """Write records, a line each; of none there is no file."""
    if records:
        write_file(path, "".join(
            json.dumps(finite(dataclasses.asdict(record))) + "\n"
            for record in records).encode())


def check(path, entries):
    """Refuse to add runs to those of another budget.

    Args:
        path (Path): of the records.
        entries (list of Entry): what is to be trained.
    Raises: UserError where the iterations, the batch or the interval of
        evaluations differ; DataError for a damaged file.
    """
    kept = [r for r in read(path) if not r.staged]
    new = [e for e in entries if not e.staged]
    if not kept or not new:
        return
    for key, there in (("iters", kept[0].iterations[0]),
                       ("batch_size", kept[0].batch_size),
                       ("save_interval", kept[0].eval_interval)):
        here = new[0].config.get(key)
        if here != there:
            raise UserError(
                f"{path} keeps runs with {key} = {there}, and {new[0].path} "
                f"has {here}; choose another --save_path, or remove the file")

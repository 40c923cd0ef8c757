# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of a comparison: tables between markers, prose of others around.
"""

import os
from pathlib import Path

from contrib_semiseg.cvlibs.errors import DataError
from contrib_semiseg.cvlibs.json_rows import read_json
from contrib_semiseg.cvlibs.whole_file import write_file
from contrib_semiseg.reports import plot, records
from contrib_semiseg.reports.plan import BASELINE, ENTRY, FULL
from contrib_semiseg.reports.records import Record
from contrib_semiseg.reports.runs import Run, told

_HEAD = """# Comparison of the methods

`tools/compare.py` writes the parts between the markers and keeps all else.
"""


def found_runs(save_dir, setting):
    """Runs of a comparison: (records of finished runs, unfinished ones).

    Args:
        save_dir (Path): its folder.
        setting (Setting): whose dataset and split they have.

    Returns: (list of Record; list of (method, seed, iterations done)).
    """
    found, left = [], []
    for path in sorted(Path(save_dir).glob(f"*/{ENTRY}")):
        entry = read_json(path)
        if (entry.get("dataset"), entry.get("split")) != (
                setting.dataset, setting.split):
            continue
        if (path.parent / "run.json").is_file():
            run = Run(path.parent)
            if run.finished:
                found.append(Record.of(run, entry))
                continue
            step = max((p.info.get("step") or 0 for p in run.parts),
                       default=0)
        else:
            step = 0
        left.append((entry["method"], entry["seed"], step))
    return found, left


def grouped(found):
    """Method -> records by seed, the baseline first, the full labels last."""
    groups = {}
    for record in sorted(found, key=lambda r: (
            r.method == FULL, r.method != BASELINE, r.method, r.seed)):
        groups.setdefault(record.method, []).append(record)
    return groups


def gains(runs, baseline):
    """mIoU beyond the baseline's of the same seed, for the seeds of both."""
    known = {run.seed: run.last for run in baseline}
    return [run.last - known[run.seed] for run in runs
            if run.seed in known]


def table(head, rows):
    """A Markdown table; the first column is text, the others numbers."""
    def cells(row):
        return [str(cell).replace("|", "\\|").replace("<", "&lt;")
                for cell in row]

    head, rows = cells(head), [cells(row) for row in rows]
    return "\n".join([
        "| " + " | ".join(head) + " |",
        "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|",
        *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _whole(values, factor=1.0):
    return told(values, 0, factor).split(" ±")[0]


def _iterations(runs):
    own, all_of_them = runs[0].iterations
    return str(own) if own == all_of_them else f"{own} ({all_of_them} in all)"


def _quality(runs, key):
    """Precision or coverage; in brackets where nobody learned from it."""
    found = [run.quality for run in runs if run.quality]
    words = told([q[key] for q in found], 1, 100)
    return f"({words})" if words != "-" and not any(
        q["learned"] for q in found) else words


def _link(name, runs, folder, root):
    """The method, with its configuration."""
    config = Path(runs[0].config)
    if not (root / config).is_file():
        return f"`{name}`"
    path = Path(os.path.relpath(root / config, folder)).as_posix()
    return f"[`{name}`]({path})"


def main_table(groups, folder, root):
    rows = []
    for name, runs in groups.items():
        gain = told(gains(runs, groups.get(BASELINE, [])), 2, 100, "+")
        rows.append([
            _link(name, runs, folder, root),
            ", ".join(str(run.seed) for run in runs),
            told([run.last for run in runs], 2, 100),
            told([run.best for run in runs], 2, 100),
            "" if name == BASELINE else gain,
            _quality(runs, "precision"), _quality(runs, "coverage"),
            told([run.step_seconds for run in runs]).split(" ±")[0],
            _whole([run.seconds for run in runs], 1 / 60),
            _whole([run.memory_mb for run in runs]),
            runs[0].labeled, _iterations(runs)])
    return table(["method", "seeds", "mIoU, last", "mIoU, best", "gain",
                  "precision", "coverage", "s/iteration", "minutes",
                  "peak MiB", "labelled images", "iterations"], rows)


def class_table(groups, values):
    """A row for each method, a column for each class.

    Args:
        values (callable): list of Record to class -> cell, or {}.
    """
    cells = {name: values(runs) for name, runs in groups.items()}
    names = list(dict.fromkeys(c for row in cells.values() for c in row))
    return table(["", *names], [
        [f"`{name}`", *(row.get(c, "-") for c in names)]
        for name, row in cells.items() if row]) if names else ""


def _class_iou(runs):
    return {c: told([run.class_iou.get(c) for run in runs], 1, 100)
            .split(" ±")[0] for c in runs[0].class_iou}


def _class_labels(runs):
    found = [run.quality for run in runs if run.quality]
    if not found:
        return {}
    return {c: " / ".join(told([q[f"class_{kind}"].get(c) for q in found], 0,
                               100).split(" ±")[0]
                          for kind in ("precision", "coverage"))
            for c in found[0]["class_precision"]}


def _each(groups, name):
    """What all runs have under a name: "cpu", or "cpu or gpu:0"."""
    found = [getattr(run, name) for runs in groups.values() for run in runs]
    words = [w for each in found
             for w in (each if isinstance(each, list) else [each])]
    return " or ".join(sorted({str(word) for word in words}))


def section(groups, left, setting, picture, folder, root):
    """The generated part, without its markers.

    Args:
        groups (dict): see `grouped`; left (list): see `found_runs`.
        picture (str): the plot, relative to the page.
        folder, root (Path): of the page and of the project.
    """
    if not groups:
        return "No run is finished yet.\n"
    first = next(iter(groups.values()))[0]
    lines = [
        f"Dataset {setting.dataset}" + (
            f", split {setting.split}" if setting.split else "") +
        f": each training has {first.iterations[0]} iterations of "
        f"{first.batch_size} images of each kind, with one recipe. mIoU in "
        "%, of the validation set at the size of its masks: of the last "
        "network, and of the best one of an evaluation every "
        f"{first.eval_interval} iterations, which is chosen on that same "
        "set. Gain: over `supervised` of the same seed, in points, of the "
        "last networks. Where there are several seeds: mean ± sample "
        "standard deviation.", "",
        "Precision and coverage, in %: of the pseudo-labels of "
        "unlabelled images at the end, against their masks, which training "
        "never sees; in brackets where nobody learned from them (labels of a "
        "probability of at least 0.95). Of a method in stages: of the masks "
        "that its last network learned from. Seconds of an iteration: "
        "median, without evaluation; minutes: all in all. "
        f"Trained on {_each(groups, 'device')} with "
        f"{_each(groups, 'threads')} threads each, "
        f"{_each(groups, 'machine')}.", "",
        main_table(groups, folder, root),
        f"![{setting.name}]({picture})", "",
        "IoU of each class, %, of the last networks:", "",
        class_table(groups, _class_iou)]
    labels = class_table(groups, _class_labels)
    if labels:
        lines += ["Precision / coverage of the pseudo-labels of each class, "
                  "%:", "", labels]
    if left:
        lines += ["Not finished: " + "; ".join(
            f"{method}, seed {seed} (iteration {step})"
            for method, seed, step in left) + ".", ""]
    return "\n".join(lines)


def _markers(setting):
    return (f"<!-- comparison {setting.name}: begin, written by "
            "tools/compare.py -->",
            f"<!-- comparison {setting.name}: end -->")


def merge(text, part, setting):
    """A page with the generated part in its place, at the end if it is new.

    Raises: DataError for a page with one of the markers only.
    """
    begin, end = _markers(setting)
    block = f"{begin}\n{part.rstrip()}\n{end}"
    counts = text.count(begin), text.count(end)
    if counts == (0, 0):
        return f"{text.rstrip()}\n\n## {setting.name}\n\n{block}\n"
    if counts != (1, 1) or text.index(begin) > text.index(end):
        raise DataError(f"the page has {counts[0]} times {begin} and "
                        f"{counts[1]} times {end}; allowed: each once, in "
                        "this order, or none of them")
    return (text[:text.index(begin)] + block +
            text[text.index(end) + len(end):])


def records_path(path, setting):
    """The file of the records that a page is made of, beside it."""
    return path.with_name(f"{path.stem}_{setting.name}.jsonl")


def write(save_dir, setting, path, root):
    """Write page, plot and records of what is there; prose on the page stays.

    A run in the folder takes the place of the record of its method and seed;
    other records stay.

    Args:
        save_dir (Path): of the comparison.
        path (Path): of the page; the plot goes to images/ beside it.
        root (Path): of the project.

    Returns: the number of runs in the tables.
    """
    found, left = found_runs(save_dir, setting)
    kept = records_path(path, setting)
    known = {(r.method, r.seed): r for r in [*records.read(kept), *found]}
    groups = grouped(known.values())
    left = [run for run in left if run[:2] not in known]
    picture = f"images/benchmark_{setting.name}.svg"
    part = section(groups, left, setting, picture, path.parent, root)
    text = path.read_text(encoding="utf-8") if path.is_file() else _HEAD
    merged = merge(text, part, setting)
    (path.parent / "images").mkdir(parents=True, exist_ok=True)
    records.write(kept, [r for runs in groups.values() for r in runs])
    write_file(path.parent / picture, plot.comparison(
        groups, baseline=BASELINE, full=FULL, title=" ".join(
            ["mIoU:", setting.dataset, setting.split or ""])).encode())
    write_file(path, merged.encode())
    return len(known)

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""One HTML file about runs that needs no network: all is inside it."""

import base64
import io

import yaml
from PIL import Image

from contrib_semiseg.reports import charts
from contrib_semiseg.reports.runs import (
    mean_and_deviation,
    numbers,
    told,
)
from contrib_semiseg.reports.svg import curves, escape

_STYLE = """
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #222;
  max-width: 1500px; margin: 2em auto; padding: 0 1.5em; }
table { border-collapse: collapse; margin: 1em 0; display: block;
  overflow-x: auto; }
td, th { border: 1px solid #ddd; padding: .3em .7em; text-align: right; }
td:first-child, th:first-child, .facts td { text-align: left; }
th { background: #f4f6f8; }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 12px; }
.charts { display: flex; flex-wrap: wrap; gap: 14px; }
figure { margin: 0 0 1em; } figcaption { font-size: 13px; }
img { max-width: 100%; } svg { max-width: 100%; height: auto; }
details { margin: .6em 0; } summary { cursor: pointer; }
h2 { border-bottom: 1px solid #ccc; margin-top: 2em; }
"""
# Nothing may be fetched, even if a text got in unescaped.
_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
_HEAD = ("run", "seeds", "mIoU, last", "mIoU, best", "precision", "coverage",
         "s/iteration", "minutes", "peak MiB", "labelled images",
         "iterations")


def table(head, rows, kind="figures"):
    """An HTML table of a class; all cells are escaped."""
    def cells(tag, row):
        return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)

    return (f'<table class="{kind}"><thead><tr>'
            + cells("th", head) + "</tr></thead><tbody>"
            + "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
            + "</tbody></table>")


def grouped(runs):
    """Runs of one recipe together: list of (name, list of Run).

    Names of different recipes differ: the folder says more where needed.
    """
    groups = {}
    for run in runs:
        groups.setdefault(run.recipe, []).append(run)
    titles = [group[0].title for group in groups.values()]
    return [(title if titles.count(title) == 1 else
             f"{title} ({group[0].folder.name})", group)
            for title, group in zip(titles, groups.values())]


def names_of(groups):
    """Run's folder -> the name that a legend gives it."""
    return {run.folder: name if len(runs) == 1 else
            f"{name}, seed {run.seed}" for name, runs in groups
            for run in runs}


def summary(groups):
    rows = []
    for name, runs in groups:
        quality = [run.quality or {} for run in runs]
        own, in_all = runs[0].iterations
        rows.append([
            name, ", ".join(str(run.seed) for run in runs),
            told([run.last for run in runs], 2, 100),
            told([run.best for run in runs], 2, 100),
            told([q.get("precision") for q in quality], 1, 100),
            told([q.get("coverage") for q in quality], 1, 100),
            told([run.main and run.main.step_seconds for run in runs]),
            told([run.seconds for run in runs], 1, 1 / 60),
            told([run.memory_mb for run in runs], 0),
            runs[0].labeled if runs[0].labeled is not None else "-",
            own if own == in_all else f"{own} ({in_all} in all)"])
    return table(_HEAD, rows) + (
        "<p>In %; mean ± sample standard deviation over the seeds of one "
        "configuration. Precision and coverage: of the pseudo-labels at the "
        "end, where they were diagnosed.</p>")


def together(groups):
    """Charts that compare the runs."""
    names = names_of(groups)
    runs = [run for _, group in groups for run in group if run.main]
    found = [curves("mIoU, %", [
        (names[run.folder], *numbers(run.evaluations, "miou"))
        for run in runs], percent=True)]
    for key in ("coverage", "precision"):
        found.append(curves(f"pseudo-labels: {key}, %", [
            (names[run.folder], *numbers(run.main.diagnosis, key))
            for run in runs], percent=True))
    found.append(charts.bars("IoU of each class, last networks", [
        (name, {c: mean_and_deviation([run.class_iou.get(c) for run in
                                       group])[0]
                for c in group[0].class_iou}) for name, group in groups]))
    return block(found)


def block(found):
    return '<div class="charts">' + "".join(found) + "</div>"


def training(part):
    """Charts of one training's scalars and diagnoses."""
    keys = list(dict.fromkeys(k for row in part.scalars for k in row))
    losses = [k for k in keys if k == "loss" or k.startswith("loss_")]
    known = {"iter", "epoch", "lr", "images_per_second", "data_wait_seconds",
             "batch_seconds", "memory_mb", "skipped", *losses}
    shares = [k for k in keys if k not in known]

    def chart(title, names, **options):
        return curves(title, [(k, *numbers(part.scalars, k)) for k in names],
                      **options)

    found = [chart("losses", losses, log=True), chart("shares", shares),
             chart("learning rate", ["lr"]),
             chart("seconds of an iteration", ["batch_seconds"]),
             chart("memory, MiB", ["memory_mb"])]
    for kind in ("precision", "coverage"):
        key = f"class_{kind}"
        rows = [{"iter": row["iter"], **row[key]} for row in part.diagnosis
                if isinstance(row.get(key), dict) and "iter" in row]
        classes = list(dict.fromkeys(c for row in rows for c in row
                                     if c != "iter"))
        found.append(curves(f"pseudo-labels of each class: {kind}, %", [
            (c, *numbers(rows, c)) for c in classes], percent=True))
    return block(found)


def png(panel):
    """A picture uint8 [H, W, 3] as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(panel).save(buffer, "PNG")
    return buffer.getvalue()


def embedded(panel):
    """A picture as the address of an image that is inside it."""
    return "data:image/png;base64," + base64.b64encode(png(panel)).decode()


def gallery(best, worst):
    """Figures of `pictures.extremes`."""
    parts = ["<h3>Pictures</h3><p>Image, truth, prediction, errors (red).</p>"]
    for title, shown in (("best", best), ("worst", worst)):
        parts += [f'<figure><img src="{embedded(each.panel)}" alt="">'
                  f"<figcaption>{title}: {escape(each.name)}, mIoU "
                  f"{100 * each.miou:.1f} %</figcaption></figure>"
                  for each in shown]
    return "".join(parts)


def detail(run, name, shown):
    """All about one run."""
    info = run.main.info if run.main else {}
    versions = info.get("versions") or {}
    facts = [("command", run.info.get("command")),
             ("started", run.info.get("started")),
             ("finished", "yes" if run.finished else "no"),
             ("seed", run.seed),
             ("versions", ", ".join(f"{k} {v}" for k, v in versions.items())),
             ("commit", run.info.get("git_commit")),
             ("device", f"{info.get('device')}, {info.get('machine')}, "
              f"{info.get('threads')} threads, {info.get('processes')} "
              "processes"),
             ("images", ", ".join(f"{count} {kind}" for kind, count in
                                  (info.get("images") or {}).items())),
             ("time", f"{told([run.seconds], 1, 1 / 60)} minutes"),
             ("peak memory", f"{told([run.memory_mb], 0)} MiB"),
             ("sessions", "; ".join(
                 f"{s.get('from')} to {s.get('to')}: {s.get('command')}"
                 for s in info.get("sessions") or []))]
    parts = [f"<h2>{escape(name)}</h2>", table(("", ""), [
        pair for pair in facts if pair[1] not in (None, "")], "facts")]
    for part in run.parts:
        if part.name:
            parts.append(f"<h3>Stage {escape(part.name)}</h3>")
        parts.append(training(part))
    quality = run.quality
    matrix = run.evaluations[-1].get("confusion") if run.evaluations else None
    parts.append(block([
        charts.bars("IoU of each class, last network", [
            ("IoU", run.class_iou)]),
        charts.bars("Pseudo-labels of each class", [
            (kind, quality[f"class_{kind}"]) for kind in
            ("precision", "coverage")]) if quality else "",
        charts.confusion("Confusion, last network", matrix,
                         list(run.class_iou)) if matrix else ""]))
    if shown:
        parts.append(gallery(*shown))
    parts.append("<details><summary>configuration</summary><pre>" + escape(
        yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True))
        + "</pre></details>")
    return "".join(parts)


def document(runs, shown=None):
    """The whole file.

    Args:
        runs (list of Run): at least one.
        shown (dict, optional): a run's folder -> what `pictures.extremes`
            gives.

    Returns: HTML, a text.
    """
    shown, groups = shown or {}, grouped(runs)
    names = names_of(groups)
    title = f"{len(runs)} training{'s' if len(runs) > 1 else ''}"
    return "".join([
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<link rel="icon" href="data:,">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>", summary(groups), together(groups),
        *(detail(run, names[run.folder], shown.get(run.folder))
          for run in runs),
        "</body></html>\n"])

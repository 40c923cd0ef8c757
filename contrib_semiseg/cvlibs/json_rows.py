# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The JSON files that a run keeps about itself, and reading them."""

import json
import math
from pathlib import Path

from contrib_semiseg.cvlibs.errors import DataError

SCALARS, EVALUATIONS = "scalars.jsonl", "evaluations.jsonl"
DIAGNOSIS, RUN = "diagnosis.jsonl", "run.json"


def finite(node):
    """A JSON tree whose NaN and infinity are None."""
    if isinstance(node, dict):
        return {key: finite(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [finite(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return node


def parse_rows(data):
    """The whole lines of a file's bytes that are JSON objects: list of dict.

    What a kill left of a line is no row.
    """
    rows = []
    for line in data.split(b"\n")[:-1]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def read_rows(path):
    """The rows of a file: list of dict, empty if it is missing."""
    try:
        return parse_rows(Path(path).read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def read_json(path):
    """The object in a JSON file, {} if it is missing.

    Raises: DataError if it is damaged.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is damaged: it holds no object")
    return found

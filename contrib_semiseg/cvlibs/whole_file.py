# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Files that appear under their name when they are whole."""

import contextlib
import errno
import os
from pathlib import Path

from contrib_semiseg.cvlibs.errors import CheckpointError


@contextlib.contextmanager
def explained(path):
    """Turn a failed write (a full disk, no permission) into one line."""
    try:
        yield
    except OSError as error:
        hint = ("; free some space or set another save_dir, then go on with "
                "--resume_model auto" if error.errno == errno.ENOSPC else "")
        raise CheckpointError(
            f"cannot write {path}: {error.strerror or error}{hint}") from error


def write_file(path, data):
    """Write bytes to a temporary name, flush to disk, then rename."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    with explained(path):
        try:
            with open(temporary, "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

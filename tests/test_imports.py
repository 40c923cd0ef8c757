# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, and who may know a method's name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "contrib_semiseg"
# What a part may import besides itself, as prefixes of module names.
MAY_IMPORT = {
    "environment": (),
    "cvlibs": (),
    "losses": ("cvlibs",),
    "mixing": ("cvlibs",),
    "metrics": ("cvlibs",),
    "models": ("cvlibs",),
    "transforms": ("mixing", "cvlibs"),
    "datasets": ("transforms", "mixing", "cvlibs"),
    "preparation": ("cvlibs",),
    "methods": ("losses", "mixing", "cvlibs"),
    "engine": ("methods.base", "metrics", "cvlibs"),
    "reports": ("engine", "metrics", "cvlibs"),
    "components": ("datasets", "engine", "losses", "methods", "mixing",
                   "models", "transforms"),
    "scripts": ("environment", "components", "cvlibs", "engine"),
}
# The places where a run is put together.
ALSO = {
    "cvlibs/builder.py": ("losses.criterion", "engine.schedules"),
    "engine/diagnosis.py": ("datasets.truth",),
    "engine/training.py": ("datasets.loader", "datasets.sampling"),
    "engine/trained.py": ("components",),
    "engine/pictures.py": ("datasets.palettes",),
    "engine/training_stage.py": ("datasets.mixed",),
}
# These list and read pictures that no dataset section names.
ALSO_SCRIPTS = {"predict.py": ("datasets.image_files",),
                "export.py": ("datasets.image_files",)}
MODULES = sorted((ROOT / PACKAGE).rglob("*.py"))
SCRIPTS = sorted(ROOT.glob("*.py"))


def imports_of(source):
    """Modules below the package that a source file names in imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write it absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == PACKAGE:
                yield rest


def forbidden(part, source, also=()):
    allowed = (part, *MAY_IMPORT[part], *also)
    return [name for name in imports_of(source)
            if not any(name == a or name.startswith(a + ".")
                       for a in allowed)]


def part_of(path):
    return path.relative_to(ROOT / PACKAGE).parts[0].replace(".py", "")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(
    p.relative_to(ROOT)))
def test_layers(path):
    inside = path.relative_to(ROOT / PACKAGE).as_posix()
    source = path.read_text(encoding="utf-8")
    if inside == "__init__.py":
        assert not list(imports_of(source))
        return
    assert not forbidden(part_of(path), source, ALSO.get(inside, ()))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_scripts(path):
    source = path.read_text(encoding="utf-8")
    assert not forbidden("scripts", source, ALSO_SCRIPTS.get(path.name, ()))
    assert len(source.splitlines()) <= 80


def test_exceptions_are_in_use():
    for inside, names in ALSO.items():
        source = (ROOT / PACKAGE / inside).read_text(encoding="utf-8")
        found = list(imports_of(source))
        for name in names:
            assert any(f == name or f.startswith(name + ".") for f in found)


def method_names():
    for path in (ROOT / PACKAGE / "methods").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.decorator_list and \
                    "METHODS" in ast.dump(node.decorator_list[0]):
                yield node.name


def test_no_method_is_named_outside_its_folder():
    names = set(method_names())
    assert "CPS" in names
    others = [p for p in MODULES if part_of(p) != "methods"]
    for path in [*others, *SCRIPTS]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said = node.value if isinstance(node, ast.Constant) else \
                getattr(node, "id", getattr(node, "attr", None))
            assert not (isinstance(said, str) and said in names), (path, said)


@pytest.mark.parametrize("line, bad", [
    ("import contrib_semiseg.engine.trainer", True),
    ("from contrib_semiseg import engine", True),
    ("from contrib_semiseg.methods.cps import CPS", True),
    ("def f():\n    from contrib_semiseg.datasets import base", True),
    ("from contrib_semiseg.cvlibs import check", False),
    ("from contrib_semiseg.losses.cross_entropy import x", False),
    ("import paddle", False),
])
def test_the_rule_itself(line, bad):
    assert bool(forbidden("losses", line)) is bad

# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets import base, split_lists
from tests.datasets.files import write_files

LISTS = {"labeled": ["imgs/0.png\tmasks/0.png"],
         "unlabeled": ["imgs/1.png", "imgs/2.png"]}


@pytest.fixture()
def here(tmp_path, monkeypatch):
    """A folder with data/own and its splits made/one and made/two."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "data/own", count=4)
    for name in ("one", "two"):
        write(tmp_path / "data/splits/own/made" / name, **LISTS)
    write(tmp_path / "data/splits/own/made", val=["imgs/3.png\tmasks/3.png"])
    return tmp_path


def write(folder, **lists):
    folder.mkdir(parents=True, exist_ok=True)
    for part, lines in lists.items():
        (folder / f"{part}.txt").write_text("\n".join(lines),
                                            encoding="utf-8")


def rows(role, split="made/one", **options):
    return split_lists.dataset_rows(dataset="own", split=split, role=role,
                                    root="data/own", **options)


def test_each_role_has_its_list(here):
    assert rows("labeled") == [("data/own/imgs/0.png", "data/own/masks/0.png",
                                "imgs/0.png")]
    assert [row.name for row in rows("unlabeled")] == ["imgs/1.png",
                                                       "imgs/2.png"]
    assert all(row.mask is None for row in rows("unlabeled"))
    assert [row.name for row in rows("val")] == ["imgs/3.png"]


def test_a_split_has_a_val_list_of_its_own(here):
    folder = here / "data/splits/own/made/two"
    write(folder, unlabeled=["imgs/1.png"], val=["imgs/2.png\tmasks/2.png"])
    assert [row.name for row in rows("val", "made/two")] == ["imgs/2.png"]
    assert [row.name for row in rows("val")] == ["imgs/3.png"]


def test_a_path_is_a_split_too(here):
    (here / "elsewhere").mkdir()
    (here / "data/splits/own/made/one").rename(here / "elsewhere/mine")
    assert len(rows("unlabeled", "elsewhere/mine")) == 2
    assert len(rows("unlabeled", str(here / "elsewhere/mine"))) == 2
    with pytest.raises(DataError, match="val.txt of elsewhere/mine is miss"):
        rows("val", "elsewhere/mine")


def test_names_hold_blanks_and_all_letters(here):
    names = ["my pictures/Überführung 1.png", "a b/道.png"]
    write(here / "data/splits/own/made/one",
          labeled=[f"{n}\t{n}" for n in names], unlabeled=["x y.png\r", ""])
    with base.without_file_check():
        assert [row.name for row in rows("labeled")] == names
        assert [row.name for row in rows("unlabeled")] == ["x y.png"]


def test_files_may_lie_elsewhere(here):
    (here / "data/own/imgs").rename(here / "data/own/pictures")
    found = rows("unlabeled", place=lambda n: n.replace("imgs", "pictures"))
    assert [(row.image, row.name) for row in found] == [
        (f"data/own/pictures/{i}.png", f"imgs/{i}.png") for i in (1, 2)]
    (here / "data/own/masks").rename(here / "data/own/labels")
    row, = rows("labeled", place=lambda n: n.replace(
        "imgs", "pictures").replace("masks", "labels"))
    assert row == ("data/own/pictures/0.png", "data/own/labels/0.png",
                   "imgs/0.png")


@pytest.mark.parametrize("split, said", [
    ("made/oen", "made/one, made/two of data/splits/own"),
    ("made/oen", "did you mean 'made/one'?"),
    ("two", "did you mean 'made/two'?"),
    ("made", "made/one, made/two"),
    ("none/of/it", "tools/make_splits.py makes new ones")])
def test_an_unknown_split_is_told_what_there_is(here, split, said):
    with pytest.raises(ArgumentError) as error:
        rows("labeled", split)
    assert error.value.name == "split" and said in error.value.allowed


def test_a_name_without_its_source(here):
    write(here / "data/splits/own/a_long_name/1_8", **LISTS)
    with pytest.raises(ArgumentError, match="did you mean 'a_long_name/1_8'"):
        rows("labeled", "1_8")


def test_a_dataset_without_splits(here):
    with pytest.raises(ArgumentError, match="data/splits/voc, which has none "
                       "yet.*tools/fetch_splits.py"):
        split_lists.find_split("voc", "unimatch/1_8")


def test_of_many_splits_those_of_the_source_come_first(here):
    for i in range(20):
        write(here / f"data/splits/own/aaa/{i:02d}", labeled=[])
    with pytest.raises(ArgumentError, match=r"allowed: made/one, made/two, "
                       r"aaa/00, .*aaa/09, \.\.\. \(22 in all\)"):
        rows("labeled", "made/x")


@pytest.mark.parametrize("lists, said", [
    (dict(unlabeled=["imgs/1.png", "imgs/0.png"]),
     r"one/labeled.txt and .*one/unlabeled.txt share 1 image "
     r"\(imgs/0.png\).*\"labeled unlabeled\": 1"),
    (dict(unlabeled=["imgs/3.png"]), r"one/unlabeled.txt and .*made/val.txt"),
    (dict(labeled=["imgs/3.png\tmasks/3.png"]), "labeled.txt and .*val.txt")])
@pytest.mark.parametrize("role", ["labeled", "unlabeled", "val"])
def test_a_leak_is_refused(here, role, lists, said):
    write(here / "data/splits/own/made/one", **lists)
    with pytest.raises(DataError, match=said):
        rows(role)


def test_a_stated_overlap_is_let_through(here):
    folder = here / "data/splits/own/made/one"
    write(folder, unlabeled=["imgs/1.png", "imgs/0.png"])
    notes = folder / "split.json"
    notes.write_text(json.dumps({"overlaps": {"labeled unlabeled": 1}}))
    assert len(rows("unlabeled")) == 2
    notes.write_text(json.dumps({"overlaps": {"labeled unlabeled": 2}}))
    with pytest.raises(DataError, match="share 1 image"):
        rows("unlabeled")
    notes.write_text("[")
    with pytest.raises(DataError, match="split.json: not the notes"):
        rows("unlabeled")


def test_a_list_may_repeat_an_image(here):
    write(here / "data/splits/own/made/one", unlabeled=["imgs/1.png"] * 3)
    assert len(rows("unlabeled")) == 3


@pytest.mark.parametrize("lists, said", [
    (dict(labeled=["imgs/0.png masks/0.png"]), "line 1 has 1 fields; allowed: "
     "image<TAB>mask"),
    (dict(unlabeled=["imgs/1.png", "imgs/2.png\tmasks/2.png"]),
     "unlabeled.txt: line 2 has 2 fields; allowed: one image, no mask"),
    (dict(unlabeled=["/imgs/1.png"]), "line 1: '/imgs/1.png' is not allowed"),
    (dict(unlabeled=["../imgs/1.png"]), "relative to the dataset's folder"),
    (dict(unlabeled=["", " "]), "unlabeled.txt of .* is empty")])
def test_lists_in_another_format(here, lists, said):
    write(here / "data/splits/own/made/one", **lists)
    with pytest.raises(DataError, match=said):
        rows("labeled" if "labeled" in lists else "unlabeled")


def test_a_list_that_is_no_text(here):
    (here / "data/splits/own/made/one/unlabeled.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="unlabeled.txt: not a text file"):
        rows("labeled")


def test_a_split_of_another_dataset(here):
    for i in range(1, 5):
        write(here / "data/splits/own/made/one",
              unlabeled=[f"gone/{k}.png" for k in range(i)])
        with pytest.raises(DataError) as error:
            rows("unlabeled", hint="run it again")
        shown = ", ".join(f"gone/{k}.png" for k in range(min(i, 3)))
        assert str(error.value) == (
            "unlabeled_dataset.split = made/one (data/splits/own/made/one/"
            f"unlabeled.txt) does not fit data/own: {i} of {i} images are "
            f"missing: {shown}{', ...' * (i > 3)}; run it again")
    (here / "data/own/masks/0.png").unlink()
    with pytest.raises(DataError, match="1 of 1 masks are missing: masks/0"):
        rows("labeled")


def test_writing_leaves_alone_what_is_right(tmp_path):
    lists = {"labeled": [("a b.png", "m.png")], "unlabeled": [("c.png", "m")]}
    folder = tmp_path / "one"
    assert split_lists.write_split(folder, lists, {"seed": 3})
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert not split_lists.write_split(folder, lists, {"seed": 3})
    assert before == {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert (folder / "unlabeled.txt").read_text() == "c.png\n"
    assert json.loads((folder / "split.json").read_text()) == {
        "seed": 3, "images": {"labeled": 1, "unlabeled": 1}, "overlaps": {}}
    assert split_lists.write_split(folder, {**lists, "unlabeled": None}, {})
    assert not (folder / "unlabeled.txt").exists()

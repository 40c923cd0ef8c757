# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import functools
import hashlib
import json
import shutil

import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.datasets import published_splits as table
from contrib_semiseg.datasets import split_lists
from tests.support import published, tiny
from tests.support.file_server import serve
from tools import fetch_splits

# Images of the lists, as the method cards state them.
VOC = {"unimatch": {"92": 92, "183": 183, "366": 366, "732": 732, "1464": 1464,
                    "1_16": 662, "1_8": 1323, "1_4": 2646, "u2pl_1_16": 662,
                    "u2pl_1_8": 1323, "u2pl_1_4": 2646},
       "st": {**{f"{n}_{i}": c for n, c in (
                 ("92", 92), ("1_16", 662), ("1_8", 1323), ("1_4", 2645))
                 for i in range(3)},
              "183_0": 183, "366_0": 366, "732_0": 732, "1464": 1464},
       "cps": {"1_16": 662, "1_8": 1323, "1_4": 2646, "1_2": 5291},
       "u2pl": {n: int(n) for n in ("92", "183", "366", "732", "1464", "662",
                                    "1323", "2646", "5291")},
       "cac": {**{f"{n}_0": n for n in (60, 100, 200, 300, 500, 800, 1000,
                                        1464)},
               **{f"{n}_{i}": c for n, c in (("1_16", 662), ("1_8", 1323),
                                             ("1_4", 2645))
                  for i in range(3)}}}
CITY = {"unimatch": {"1_30": 100, "1_16": 186, "1_8": 372, "1_4": 744,
                     "1_2": 1488},
        "st": {f"{n}_{i}": c for n, c in (("1_30", 100), ("1_8", 372),
                                          ("1_4", 744)) for i in range(3)},
        "cps": {"1_16": 186, "1_8": 372, "1_4": 744, "1_2": 1488},
        "u2pl": {n: int(n) for n in ("186", "372", "744", "1488")},
        "cac": {f"{n}_{i}": c for n, c in (("1_8", 372), ("1_4", 744))
                for i in range(3)}}
COCO = {"1_512": 232, "1_256": 463, "1_128": 925, "1_64": 1849, "1_32": 3697}
FEW = {16: (92, 1373), 8: (183, 1282), 4: (366, 1099), 2: (732, 733)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All published splits in the one format."""
    if not published.CLONES.is_dir():
        pytest.skip(f"the published lists are not in {published.CLONES}")
    target = tmp_path_factory.mktemp("splits")
    fetch(target)
    return target


def fetch(target, *options):
    fetch_splits.main([*options, "--from", str(published.CLONES),
                       "--save_dir", str(target)])


def images(folder, name):
    """{part: [image]} of a split, checked by the reader."""
    lists = split_lists.read_split(str(folder / name))
    return {part: [image for image, _ in rows]
            for part, (_, rows) in lists.items()}


def test_counts_are_those_of_the_method_cards(folder):
    expected = {"coco/unimatch/" + n: (c, None) for n, c in COCO.items()}
    for dataset, total, sources in (("voc", 10582, VOC),
                                    ("cityscapes", 2975, CITY)):
        for source, splits in sources.items():
            for name, count in splits.items():
                expected[f"{dataset}/{source}/{name}"] = count, total - count
    for k, counts in FEW.items():
        expected[f"voc/cps/pseudoseg_1_{k}"] = counts
        expected[f"voc/cps/pseudoseg_1_{k}_all"] = counts[0], 10582
    for n in (3000, 6000, 9000):
        expected[f"cityscapes/cps/full_extra_{n}"] = 2975, n
    for i in range(3):
        expected[f"cityscapes/cac/full_{i}"] = 2975, 2975
    expected.update({"voc/unimatch/full": (10582, None),
                     "cityscapes/cps/full": (2975, None),
                     "cityscapes/cps/train_val": (3475, 1525)})
    found = {}
    for name in split_lists.splits_in(folder):
        parts = images(folder, name)
        assert len(parts["val"]) == {"voc": 1449, "cityscapes": 500,
                                     "coco": 5000}[name.split("/")[0]]
        for listed in parts.values():
            assert len(set(listed)) == len(listed), name
        found[name] = len(parts["labeled"]), (
            len(parts["unlabeled"]) if "unlabeled" in parts else None)
    assert found == expected


def test_lists_nest_where_the_cards_say_so(folder):
    @functools.cache
    def labeled(name):
        return set(images(folder, name)["labeled"])

    for chain in (
            "voc/unimatch/1_16 voc/unimatch/1_8 voc/unimatch/1_4 "
            "voc/unimatch/full",
            "voc/unimatch/u2pl_1_16 voc/unimatch/u2pl_1_8 "
            "voc/unimatch/u2pl_1_4", "voc/unimatch/732 voc/unimatch/1464",
            "voc/cps/1_16 voc/cps/1_8 voc/cps/1_4 voc/cps/1_2",
            "cityscapes/cps/1_16 cityscapes/cps/1_8 cityscapes/cps/1_4 "
            "cityscapes/cps/1_2 cityscapes/cps/full",
            "voc/cac/60_0 voc/cac/100_0 voc/cac/200_0 voc/cac/1000_0"):
        names = chain.split()
        for smaller, larger in zip(names, names[1:]):
            assert labeled(smaller) < labeled(larger), (smaller, larger)
    # One data set, one list, under the names of several sources.
    assert labeled("voc/st/1464") == labeled("voc/unimatch/1464") == \
        labeled("voc/u2pl/1464") == labeled("voc/cac/1464_0")
    assert len(labeled("voc/cac/1_16_0") & labeled("voc/cac/1_4_0")) == 161


def digest(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def test_digests_of_the_cac_card(folder):
    def ids(split, part="labeled"):
        return [image.rpartition("/")[2].partition(".")[0].replace(
            "_leftImg8bit", "") for image in images(
                folder, f"{split}")[part]]

    for name, expected in (
            ("voc/cac/1_16", ("f4a8517ad69b", "09bb461ce55b", "894b6d832d2d")),
            ("voc/cac/1_8", ("2558cbefe934", "95017789320b", "8916192098e8")),
            ("voc/cac/1_4", ("4662012a6037", "2a8ce76a1631", "35d892bdc8de")),
            ("voc/cac/1464", ("129f1fe99172",)),
            ("cityscapes/cac/1_8", ("040a8c5be673", "50a4a17c8b22",
                                    "65178f717b56")),
            ("cityscapes/cac/1_4", ("653ec1924989", "b8a3db5d0bf4",
                                    "d386fbbf0492"))):
        for i, value in enumerate(expected):
            assert digest(ids(f"{name}_{i}")) == value, (name, i)
    assert digest(ids("voc/cac/1_8_0", "val")) == "6f8edc379937"
    assert digest(ids("cityscapes/cac/1_8_0", "val")) == "9e85f1e65cf6"


def test_overlaps_that_the_authors_meant_are_stated(folder):
    found = {}
    for name in split_lists.splits_in(folder):
        notes = json.loads((folder / name / "split.json").read_text())
        if notes["overlaps"]:
            found[name] = notes["overlaps"]
    assert found == {
        **{f"cityscapes/cac/full_{i}": {"labeled unlabeled": 2975}
           for i in range(3)},
        **{f"voc/cps/pseudoseg_1_{k}": {"labeled unlabeled": 1} for k in FEW},
        **{f"voc/cps/pseudoseg_1_{k}_all": {"labeled unlabeled": n}
           for k, (n, _) in FEW.items()},
        "cityscapes/cps/train_val": {"labeled val": 500}}


def test_twice_changes_nothing_and_a_changed_list_is_brought_back(
        folder, capsys):
    def run():
        fetch(folder, "cityscapes/st")
        return [line for line in capsys.readouterr().out.splitlines()
                if "(written)" in line]

    assert run() == []
    path = folder / "cityscapes/st/1_8_1/labeled.txt"
    right = path.read_bytes()
    path.write_text("")
    assert [line.split(":")[0] for line in run()] == [str(path.parent)]
    assert path.read_bytes() == right
    assert not list(folder.rglob("*.part"))


def test_unlabelled_coco_is_what_is_not_labelled(folder, tmp_path, capsys):
    labeled = images(folder, "coco/unimatch/1_512")["labeled"]
    root = tmp_path / "coco"
    (root / "train2017").mkdir(parents=True)
    for name in [*labeled, "train2017/b.jpg", "train2017/a.jpg"]:
        (root / name).touch()
    (root / "train2017/notes.txt").touch()
    fetch(tmp_path / "out", "coco", "--coco_root", str(root))
    assert "232 labeled, 2 unlabeled (written)" in capsys.readouterr().out
    assert images(tmp_path / "out", "coco/unimatch/1_512")["unlabeled"] == [
        "train2017/a.jpg", "train2017/b.jpg"]


@published.needs_clones
@pytest.mark.parametrize("change, said", [
    (lambda clone: (clone / "splits/pascal/92/labeled.txt").write_text("x"),
     "labeled.txt is not that of LiheYoung/UniMatch at 0324f3dd"),
    (lambda clone: (clone / "splits/pascal/92/labeled.txt").unlink(),
     "git checkout 0324f3dd"),
    (lambda clone: clone.rename(clone.with_name("other")),
     "there is no folder LiheYoung_UniMatch or UniMatch")])
def test_another_clone_is_refused(tmp_path, change, said):
    clone = tmp_path / "UniMatch"
    shutil.copytree(published.CLONES / "LiheYoung_UniMatch/splits/pascal",
                    clone / "splits/pascal", copy_function=shutil.copyfile)
    for path in clone.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert len(fetch_splits.Clones(tmp_path).read(
        "unimatch", "splits/pascal/92/labeled.txt")) == 92
    change(clone)
    with pytest.raises(DataError, match=said):
        fetch_splits.Clones(tmp_path).read("unimatch",
                                           "splits/pascal/92/labeled.txt")


@published.needs_clones
def test_lists_are_downloaded_and_kept(tmp_path, monkeypatch):
    path = "data/splits/cityscapes/744/labeled.txt"
    body = (published.CLONES / "Haochen-Wang409_U2PL" / path).read_bytes()
    monkeypatch.setenv("SEMISEG_HOME", str(tmp_path))
    with serve(body) as server:
        monkeypatch.setattr(table.Source, "url",
                            lambda self, path: server.url(f"/{path}"))
        for _ in range(2):
            assert len(fetch_splits.Downloads().read("u2pl", path)) == 744
        assert len(server.asked) == 1
    kept = tmp_path / "splits/Haochen-Wang409_U2PL" / path
    assert kept.read_bytes() == body


def test_where_they_are_downloaded_from():
    assert table.SOURCES["st"].url("a/b.txt") == (
        "https://raw.githubusercontent.com/LiheYoung/ST-PlusPlus/"
        "f4e7a571fe59f4254fe12a5073da1231d29d0a79/a/b.txt")


def test_every_list_has_a_digest_and_a_use():
    used = {fetch_splits.digest_of(split.source, path)
            for split in table.published()
            for path in (split.labeled, *split.unlabeled)}
    used |= {fetch_splits.digest_of(source, path)
             for (_, source), path in table.VAL.items()}
    assert used == set(fetch_splits.digests().values())


def test_it_is_a_command():
    status, _, err = tiny.run("tools/fetch_splits.py", "voc/unimach")
    assert status == 2 and err.count("\n") == 1
    assert "did you mean 'voc/unimatch'?" in err


def test_names_choose(tmp_path):
    assert {(s.dataset, s.source) for s in fetch_splits.choose(
        ["coco", "voc/st", "u2pl"])} == {
            ("coco", "unimatch"), ("voc", "st"), ("voc", "u2pl"),
            ("cityscapes", "u2pl")}
    assert fetch_splits.choose([]) == table.published()
    with pytest.raises(ArgumentError, match="did you mean 'unimatch'"):
        fetch_splits.choose(["unimach"])
    with pytest.raises(ArgumentError, match="--from"):
        fetch_splits.Clones(str(tmp_path / "none"))

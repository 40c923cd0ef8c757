# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tests.support import tiny

NAMES = [f"id_{i:02d}" for i in range(20)]


@pytest.fixture()
def make(tmp_path):
    """Run the tool on 20 unsorted names; (status, lists, message)."""
    listed = tmp_path / "all.txt"
    listed.write_text("\n".join(reversed(NAMES)) + "\n\n")

    def run(*options):
        status, _, err = tiny.run(
            "tools/make_split_lists.py", "--list", listed, "--save_dir",
            tmp_path / "out", *options)
        return status, [
            (tmp_path / "out" / f"{name}.txt").read_text().splitlines()
            for name in ("labeled", "unlabeled")
            if (tmp_path / "out").exists()], err

    return run


def test_an_order_divides_the_sorted_list(make, tmp_path):
    order = np.random.default_rng(0).permutation(20)
    np.savez(tmp_path / "orders.npz", one=order)
    np.savetxt(tmp_path / "order.txt", order, fmt="%d")
    for given in (f"{tmp_path}/orders.npz:one", f"{tmp_path}/order.txt"):
        status, (labeled, unlabeled), err = make("--labeled", 6, "--order",
                                                 given)
        assert status == 0, err
        assert labeled == [NAMES[i] for i in order[:6]]
        assert unlabeled == [NAMES[i] for i in order[6:]]


def test_a_seed_shuffles_and_replacement_repeats(make):
    order = np.arange(20)
    np.random.RandomState(10).shuffle(order)
    _, (labeled, unlabeled), _ = make("--labeled", 9, "--seed", 10)
    assert labeled + unlabeled == [NAMES[i] for i in order]
    _, drawn, _ = make("--labeled", 9, "--seed", 10, "--replace")
    for part, again in zip((labeled, unlabeled), drawn):
        assert len(again) == len(part) > len(set(again))
        assert set(again) < set(part)


@pytest.mark.parametrize("options, said", [
    (["--labeled", 20], "--labeled = 20 is not allowed; allowed: 1 to 19"),
    (["--labeled", 5, "--order", "none.npy"], "--order = 'none.npy'"),
    (["--labeled", 5, "--order",
      "tests/golden/data/ctt/splits.npz:out_voc_split0"],
     "the numbers 0 to 19, each once"),
    (["--labeled", 5, "--order", "tests/golden/data/ctt/splits.npz:none"],
     "FILE.npz:NAME"),
    (["--labeled", 5, "--seed", -1], "--seed = -1")])
def test_mistakes_are_one_line(make, options, said):
    status, lists, err = make(*options)
    assert status == 2 and not lists
    assert said in err and len(err.strip().splitlines()) == 1

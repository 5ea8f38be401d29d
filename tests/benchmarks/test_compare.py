"""The arithmetic of a comparison: what is a pair, what is left out, how it is written."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import compare
from benchmarks.compare import NOT_REACHED, alternate, contender, ratio_row, ratios, spread

FOUND = {
    "stock": [{"s": 10.0}, {"s": None}, {"s": 30.0}, {"s": 12.0}],
    "ours": [{"s": 1.0}, {"s": 2.0}, {"s": None}, {"s": 4.0}],
}


def test_a_pair_without_one_side_is_no_ratio():
    stock, ours = ([run["s"] for run in FOUND[side]] for side in ("stock", "ours"))
    assert ratios(stock, ours) == [10.0, 3.0]


def test_a_row_says_how_many_got_there():
    assert ratio_row("to 50 MeV", "s", FOUND, NOT_REACHED) == (
        "| to 50 MeV | 12 [10, 30] (3 of 4) | 2 [1, 4] (3 of 4) | 6.5 [3, 10] (2 of 4 pairs) |"
    )


def test_a_row_without_a_pair_has_no_ratio():
    found = {"stock": [{"s": None}, {"s": 1.0}], "ours": [{"s": 2.0}, {"s": None}]}
    assert ratio_row("t", "s", found).endswith("| no pair |")
    nobody = {"stock": [{"s": None}], "ours": [{"s": None}]}
    assert ratio_row("t", "s", nobody, NOT_REACHED) == "| t | not reached | not reached | no pair |"


def test_ratios_are_of_neighbours_not_of_medians():
    found = {"stock": [{"s": 8.0}, {"s": 2.0}], "ours": [{"s": 2.0}, {"s": 1.0}]}
    assert ratio_row("t", "s", found).split(" | ")[-1] == "3 [2, 4] |"


def test_spread_is_median_and_range():
    assert spread([3.0, 1.0, 2.0]) == "2 [1, 3]"
    assert spread([None, None]) == compare.NOT_MEASURED


def test_sides_take_turns_and_get_the_number_of_the_repeat(capsys):
    calls = []

    def side(name):
        def run(repeat):
            calls.append((name, repeat))
            return {"s": float(repeat), "never": None}

        return run

    found = alternate({"stock": side("stock"), "ours": side("ours")}, 2)
    assert calls == [("stock", 0), ("ours", 0), ("stock", 1), ("ours", 1)]
    assert found["ours"] == [{"s": 0.0, "never": None}, {"s": 1.0, "never": None}]
    assert "2/2 ours: s 1, never -" in capsys.readouterr().err


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Contenders run in the working directory, whose modules they can import."""
    monkeypatch.chdir(tmp_path)
    source = "from benchmarks.compare import report\nreport(seconds=1.5, never=None)\n"
    (tmp_path / "sound.py").write_text(source)
    (tmp_path / "failing.py").write_text(source + "raise SystemExit('the disk is full')\n")
    (tmp_path / "silent.py").write_text("print('done')\n")


def test_a_contender_is_a_process_that_reports(modules):
    figures = contender("sound")
    assert {name: figures[name] for name in ("seconds", "never")} == {"seconds": 1.5, "never": None}
    assert 1 < figures["peak_mb"] < 1000


def test_peak_memory_is_not_that_of_the_process_that_started_it(modules):
    ballast = np.ones(300_000_000, np.uint8)
    assert contender("sound")["peak_mb"] < 200 < ballast.nbytes / 1024**2


@pytest.mark.parametrize(("module", "words"), [("failing", "disk is full"), ("silent", "code 0")])
def test_a_contender_that_fails_or_says_nothing_is_an_error(modules, module, words):
    with pytest.raises(RuntimeError, match=words):
        contender(module)

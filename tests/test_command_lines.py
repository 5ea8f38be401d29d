"""Every ``dvc exp run`` on the pages: DVC reads it, and it sets values that can be used."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import pairwise

import pytest
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

from pipeline.params import ParamsError, load_params
from pipeline.quantization.search.plan.parameters import check_parameters, notes
from tests.imports import ROOT
from tests.params.shipped import SHIPPED

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# A sweep of other quantizers, as it is documented; here with the values that come out.
SWEEP = "search.quantization_config.state=['quantized_relu(8,0)'],['quantized_relu(9,0)']"


def documented() -> Iterator[str]:
    """Lines of code, and code within lines."""
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            for text in (line.strip(), *line.split("`")[1::2]):
                if text.startswith("dvc exp run -"):
                    yield text


def overrides(command: str) -> list[list[str]]:
    """What the options -S of a command set, one list for each experiment."""
    words = shlex.split(command, comments=True)
    values = [value for option, value in pairwise(words) if option == "-S"]
    sweeps = get_hydra_sweeps({"params.yaml": values}) if values else []
    return [sweep["params.yaml"] for sweep in sweeps]


COMMANDS = sorted(set(documented()))


def test_the_pages_have_sweeps():
    assert len([command for command in COMMANDS if len(overrides(command)) > 1]) >= 3
    assert all("--queue" in command for command in COMMANDS if len(overrides(command)) > 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_sets_what_can_be_used(command, tmp_path):
    """And what has an effect."""
    seen = []
    for number, changes in enumerate(overrides(command)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
        apply_overrides(path, changes)
        params = check_parameters(path)
        assert params != load_params(SHIPPED)
        assert params not in seen
        seen.append(params)
        assert not notes(params.search, params.train.cell)


def test_a_sweep_gives_each_list(tmp_path):
    found = []
    for changes in get_hydra_sweeps({"params.yaml": [SWEEP]}):
        path = tmp_path / "params.yaml"
        path.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
        apply_overrides(path, changes["params.yaml"])
        found.append(load_params(path).search.quantization_config["state"])
    assert found == [["quantized_relu(8,0)"], ["quantized_relu(9,0)"]]


def test_a_list_in_limit_needs_its_quantizers(tmp_path):
    """As the page says: both are changed together."""
    path = tmp_path / "params.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    kernel = 'search.quantization_config.kernel=["quantized_bits(6,0,1,alpha=1)"]'
    apply_overrides(path, [kernel])
    with pytest.raises(ParamsError, match=r"search\.limit\.SimpleRNN: kernel: .* is not in"):
        check_parameters(path)
    limits = ["search.limit.SimpleRNN=[6,14,10,12,10]", "search.limit.Dense=[6,14,12]"]
    limits += [f"search.limit.{cell}=[6,14,8,13,14]" for cell in ("LSTM", "GRU")]
    apply_overrides(path, limits)
    check_parameters(path)

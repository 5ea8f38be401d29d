"""What `pipeline.params` accepts, and which dotted key its errors name."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.params import Params, ParamsError, load_params, parse_params
from pipeline.params.section import MAX_MEV, MAX_SEED
from pipeline.quantization.search.plan.space import declared_bits
from tests.params.shipped import SHIPPED, TREE, changed, fields, removed

TEMPLATE = yaml.safe_dump(changed("simulate.noise.rms_mev", "NUMBER"))  # a number of any size


def errors_of(tree: object) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        parse_params(tree, "p.yaml")
    return str(caught.value).splitlines()


@pytest.fixture
def load_with_number(tmp_path):
    """Load the shipped parameters with any text as ``simulate.noise.rms_mev``."""

    def load(text: str):
        path = tmp_path / "params.yaml"
        path.write_text(TEMPLATE.replace("NUMBER", text))
        return load_params(path)

    return load


def test_the_shipped_file_is_valid():
    params = load_params(SHIPPED)
    assert (params.prepare.window_length, params.prepare.target_lag) == (5, 5)
    assert params.train.min_delta == 1e-8
    assert list(declared_bits(params.search)["activation"].values()) == [12, 13]
    assert parse_params(TREE) == params


def test_the_default_is_the_file_of_the_working_directory(tmp_path, monkeypatch):
    tree = changed("train.units", 3)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    monkeypatch.chdir(tmp_path)
    assert load_params().train.units == 3


@pytest.mark.parametrize("key", ["extra", "train.unit", "search.goal.delta", "simulate.adc.lsb"])
def test_an_unknown_key_is_named(key):
    assert errors_of(changed(key, 1)) == [f"p.yaml: {key}: unknown key"]


@pytest.mark.parametrize("key", ["train", "train.units", "search.goal.delta_p", "data.file"])
def test_a_missing_key_is_named(key):
    assert errors_of(removed(key)) == [f"p.yaml: {key}: missing"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.file", 3),
        ("evaluate.label", None),
        ("train.units", True),
        ("train.units", 8.0),
        ("train.units", "8"),
        ("train.learning_rate", "0.001"),
        ("train.learning_rate", True),
        ("train.cell", ["LSTM"]),
        ("search.transfer_weights", 1),
        ("search.transfer_weights", "yes"),
        ("search.quantization_config", {"kernel": {"quantized_bits(4)": "4"}}),
        ("energy.rd_wr_on_io", False),
        ("train", 5),
        ("search.limit.Dense", "8"),
        ("search.limit.Dense", [8, True, 8]),
        ("search.limit.Dense", [8, [4], 8]),
        ("search.limit.Dense", 8.0),
        ("finetune.trial", None),
        ("finetune.trial", ["best"]),
        ("survey.points", "best"),
        ("survey.points", -1),
        ("survey.points", True),
        ("survey.points", [1.5]),
    ],
)
def test_a_wrong_type_is_named(key, value):
    (line,) = errors_of(changed(key, value))
    assert line.startswith(f"p.yaml: {key}")
    assert " should be " in line


def test_an_integer_is_a_float():
    params = parse_params(changed("train.learning_rate", 1))
    assert params.train.learning_rate == 1.0
    assert isinstance(params.train.learning_rate, float)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train.units", 0, "greater than or equal to 1, found 0"),
        ("train.units", 513, "less than or equal to 512, found 513"),
        ("train.learning_rate", 0.0, "greater than 0, found 0.0"),
        ("train.reduce_lr_factor", 1.0, "less than 1, found 1.0"),
        ("train.cell", "RNN", "'SimpleRNN', 'LSTM' or 'GRU', found 'RNN'"),
        ("train.strategy", "two", "'auto', 'cpu', 'gpu', 'mirrored' or 'tpu', found 'two'"),
        ("train.seed", -1, "greater than or equal to 0, found -1"),
        ("train.seed", MAX_SEED + 1, f"less than or equal to {MAX_SEED}"),
        ("finetune.seed", MAX_SEED + 1, f"less than or equal to {MAX_SEED}"),
        ("search.seed", MAX_SEED + 1, f"less than or equal to {MAX_SEED}"),
        ("search.seed", 0, "greater than or equal to 1"),
        ("search.goal.rate", 1.0, "greater than 1"),
        ("data.file", "", "at least 1 character"),
        ("prepare.window_length", 0, "greater than or equal to 1"),
        ("energy.min_sram_size_bits", [0], "at least 2 items"),
        ("energy.rd_wr_on_io", [True] * 3, "at most 2 items"),
        ("synthesize.backend", "Catapult", "'Vitis' or 'Vivado', found 'Catapult'"),
        *(
            (f"synthesize.{key}", part, f"found {part!r}")
            for key in ("part", "intel_part")
            for part in ("xcvu9p; exec rm", "", "xcvu9p\n", "-quit")
        ),
        ("synthesize.clock_period_ns", 0.0, "greater than 0, found 0.0"),
        ("synthesize.clock_period_ns", float("nan"), "finite number, found nan"),
        ("synthesize.clock_uncertainty_percent", 100.0, "less than 100"),
        *(("synthesize.gate_table_size", size, f"found {size}") for size in (0, 8, 1000, 65536)),
        ("synthesize.project_name", "a b", "found 'a b'"),
        ("synthesize.project_name", "../x", "found '../x'"),
        ("synthesize.project_name", "template", "reserved in C++, found 'template'"),
        ("synthesize.project_name", "1st", "found '1st'"),
        ("synthesize.project_name", "a\n", r"found 'a\n'"),
        ("synthesize.project_name", "namespace", "reserved in C++, found 'namespace'"),
        ("synthesize.project_name", "main", "reserved in the generated C++, found 'main'"),
        ("rtl.top", "cell; rm", "found 'cell; rm'"),
        ("rtl.top", "module", "reserved in Verilog"),
        ("rtl.top", "Entity", "reserved in VHDL"),
        ("rtl.top", "mux", "reserved in the generated RTL"),
        ("rtl.top", 7, "valid string"),
    ],
)
def test_a_value_out_of_range_is_named(key, value, words):
    (line,) = errors_of(changed(key, value))
    assert line.startswith(f"p.yaml: {key}: ")
    assert words in line


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "simulate.bunch_train",
            {"filled_bc": 0, "empty_bc": 8},
            "simulate.bunch_train: empty_bc must be 0 where filled_bc is 0 (every BC is filled)",
        ),
        (
            "simulate.adc.pedestal_counts",
            4096,
            "simulate.adc: pedestal_counts must stay below 2^bits",
        ),
        (
            "survey.uniform_bits",
            [8, 8],
            "survey: uniform_bits must not repeat a number of bits",
        ),
        (
            "implement.families",
            ["xcup", "xcup"],
            "implement: families must not repeat a family",
        ),
        ("prepare.target_lag", 6, "prepare: target_lag must not exceed window_length"),
        (
            "prepare.validation_fraction",
            0.55,
            "prepare: train_fraction + validation_fraction must stay below 1",
        ),
        ("evaluate.gap_edges_bc", [15, 15], "evaluate: gap_edges_bc must be positive and increase"),
        (
            "evaluate.gap_edges_bc",
            [0, 15],
            "evaluate.gap_edges_bc.0: input should be greater than or equal to 1, found 0",
        ),
        ("evaluate.high_et_mev", 240.0, "evaluate: high_et_mev must exceed low_et_mev"),
        (
            "evaluate.residual_bin_mev",
            1000.5,
            "evaluate: residual_bin_mev must not exceed residual_range_mev",
        ),
        (
            "evaluate.residual_bin_mev",
            0.9,
            "evaluate: residual_range_mev / residual_bin_mev must not exceed 1000",
        ),
    ],
)
def test_values_must_fit_each_other(key, value, line):
    assert errors_of(changed(key, value)) == [f"p.yaml: {line}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("simulate.bunch_train", {"filled_bc": 8, "empty_bc": 0}),
        ("simulate.adc.pedestal_counts", 4095),
        ("prepare.target_lag", 0),
        ("prepare.validation_fraction", 0.5),
        ("evaluate.gap_edges_bc", [1]),
        ("evaluate.residual_bin_mev", 1.0),
        ("train.seed", MAX_SEED),
        ("survey.points", 0),
        ("survey.points", [7, "block2_03"]),
        ("survey.uniform_bits", []),
    ],
)
def test_values_at_the_border_are_valid(key, value):
    section, name = key.rsplit(".", 1)
    params = parse_params(changed(key, value)).model_dump()
    for part in section.split("."):
        params = params[part]
    assert params[name] == value


def test_every_error_has_its_line():
    tree = changed("train.units", 0)
    tree["search"]["goal"]["delta_q"] = 1
    del tree["data"]["file"]
    assert sorted(errors_of(tree)) == [
        "p.yaml: data.file: missing",
        "p.yaml: search.goal.delta_q: unknown key",
        "p.yaml: train.units: input should be greater than or equal to 1, found 0",
    ]


# Bounded by the plan of the search, which knows the layers.
BOUNDED_BY_THE_PLAN = {"search.layer_indexes"}


def numbers() -> list[tuple[str, type]]:
    """Every number, and every list of numbers, of the file by its dotted key."""
    found = []
    for key, field in fields(Params):
        words = str(field.annotation)
        for kind in (int, float):
            if field.annotation is kind or re.search(rf"\b{kind.__name__}\b", words):
                if "Literal" not in words and key not in BOUNDED_BY_THE_PLAN:
                    found.append((key, kind))
                break
    return found


@pytest.mark.parametrize(("key", "kind"), numbers())
@pytest.mark.parametrize("absurd", [10**30, 10**308, -(10**30)])
def test_every_number_has_bounds(key, kind, absurd):
    value = TREE
    for part in key.split("."):
        value = value[part]
    wrong = kind(absurd)
    if key == "search.limit":
        wrong = {"Dense": [wrong, 14, 12], "SimpleRNN": wrong}
    elif key == "search.quantization_config":
        wrong = {"bias": {f"quantized_bits({wrong},0,0)": wrong}}
    elif key == "finetune.trial":
        return  # a name
    elif isinstance(value, list):
        wrong = [wrong] * len(value)
    lines = errors_of(changed(key, wrong))
    section = key.split(".")[0]
    assert all(line.startswith(f"p.yaml: {section}") for line in lines)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("train.learning_rate", "less than or equal to 1, found 1e+308"),
        ("search.learning_rate", "less than or equal to 1, found 1e+308"),
        ("rtl.clock_period_ns", "less than or equal to 25, found 1e+308"),
        ("search.goal.delta_p", "less than or equal to 1000, found 1e+308"),
    ],
)
def test_the_bound_is_said(key, words):
    assert words in errors_of(changed(key, 1e308))[0]


def test_texts_have_bounds():
    for key in ("evaluate.label", "rtl.top", "synthesize.project_name", "synthesize.part"):
        (line,) = errors_of(changed(key, "x" * 500))
        assert line.startswith(f"p.yaml: {key}: string should have at most ")


@pytest.mark.parametrize("tree", [None, [], "text"])
def test_the_top_level_must_be_a_mapping(tree):
    (line,) = errors_of(tree)
    assert line.startswith("p.yaml: (top level): input should be a valid dictionary")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-05", 1e-5),
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("1e+2", 1e2),
        ("+1e2", 1e2),
        ("1.", 1.0),
        (".5", 0.5),
        (".5e-1", 0.05),
        ("1.5e3", 1500.0),
        ("2", 2.0),
    ],
)
def test_floats_as_in_yaml_1_2(load_with_number, text, value):
    assert load_with_number(text).simulate.noise.rms_mev == value


@settings(max_examples=25, deadline=None)  # each reads the whole file
@given(st.floats(min_value=0, max_value=MAX_MEV))
def test_what_python_and_yaml_print_is_read_back(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "printed.yaml"
    for text in (repr(value), yaml.safe_dump(value).split("\n")[0]):
        path.write_text(TEMPLATE.replace("NUMBER", text))
        assert load_params(path).simulate.noise.rms_mev == value


@pytest.mark.parametrize("text", ["1e", "1e-", "e5", "1.0.0", "'1e-5'", "1,5"])
def test_what_is_no_float_stays_text(load_with_number, text):
    found = text.strip("'")
    words = rf"simulate\.noise\.rms_mev: input should be a valid number, found '{found}'"
    with pytest.raises(ParamsError, match=words):
        load_with_number(text)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".inf", "-.inf", "1e999"])
def test_numbers_must_be_finite(load_with_number, text):
    with pytest.raises(
        ParamsError, match=r"simulate\.noise\.rms_mev: .*(finite|greater than or equal to 0)"
    ):
        load_with_number(text)


@pytest.mark.parametrize("key", ["learning_rate", "units"])
def test_nothing_can_be_assigned(key):
    params = load_params(SHIPPED)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(params.train, key, 1)
    with pytest.raises(ValidationError, match="frozen"):
        params.train = params.train


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"train: [1, 2", "not valid YAML: .*line 1"),
        (b"train: {a: 1}}", "not valid YAML"),
        (b"a: \x07", "not valid YAML"),
        (b"label: \xff\xfe", "not UTF-8"),
        (b"x: !!python/object/apply:os.getcwd []", "not valid YAML: could not determine"),
        (b"train: {seed: 1, seed: 2}", 'not valid YAML: .*duplicate key "seed" .*line 1'),
        (b"a: &a {b: 1}\nc: {<<: *a}", r"not valid YAML: merge keys \(<<\) are not read.*line 2"),
        (b"train: 1\ntrain: 2", 'not valid YAML: .*duplicate key "train" .*line 2'),
        (b"a: 1\n---\nb: 2", "not valid YAML: .*another document, line 2"),
        (b"a: 2020-99-99", "not valid YAML: month must be in"),
        (b"a: !!bool x", "not valid YAML: "),
        (b"a: " + b"[" * 5000, "not valid YAML: "),
        (b"", r"\(top level\): .*found None"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, content, words):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(ParamsError, match=rf"broken\.yaml: {words}") as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"none\.yaml: cannot be read: No such file"):
        load_params(tmp_path / "none.yaml")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ParamsError, match="cannot be read: Is a directory"):
        load_params(tmp_path)

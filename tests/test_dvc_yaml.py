"""The DVC graph says the truth: deps are the imports, params are consumed, outs written."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from pipeline.params import Params, load_params
from tests.imports import ROOT, local_imports

GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = GRAPH["stages"]
DVC = [sys.executable, "-m", "dvc"]
HOW_ONLY = "processes"  # the section on which no result depends: no stage declares it
CHECK, WHOLE_FILE = "check", "params.yaml"  # the stage that depends on every parameter
USING = [stage for stage in STAGES if stage != CHECK]
PARAMS = load_params(ROOT / "params.yaml").model_dump()

# By file, the stages that rerun when it changes although they do not import it.
# Each is small, settled, or cheap to rerun for.
COVERED_BUT_NOT_NEEDED: dict[str, list[str]] = {
    "detector/sequences/scale.py": ["simulate"],
    "detector/sequences/summary.py": ["simulate"],
    "integers/compare.py": ["finetune", "candidates"],
    "integers/golden.py": ["finetune", "candidates"],
    "integers/lossless.py": ["finetune", "candidates", "rtl", "implement", "survey"],
    "networks/checkpoint.py": ["train"],
    "networks/given.py": ["search", "finetune"],
    "networks/stack/checkpoint.py": ["train"],
    "networks/stack/learned.py": ["train", "search", "finetune"],
    "networks/stack/learned_network.py": ["train", "search", "finetune"],
    "quantization/energy/cost.py": ["baseline"],
    "quantization/energy/profile.py": ["check", "search"],
    "quantization/finetuning/candidates.py": ["finetune"],
    "quantization/finetuning/double_precision.py": ["candidates"],
    "quantization/finetuning/finetuning.py": ["candidates"],
    "quantization/finetuning/profile.py": ["candidates"],
    "quantization/search/plan/pareto.py": ["check"],
    "quantization/search/plan/score.py": ["check"],
    "quantizers/hardware.py": ["baseline"],
    "quantizers/powers_of_two.py": ["baseline"],
    "quantizers/qkeras_powers.py": ["baseline"],
    "samples/predictions.py": ["prepare", "search", "candidates", "rtl", "implement", "survey"],
}


def paths(stage: str, kind: str) -> list[str]:
    entries = STAGES[stage].get(kind, [])
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def script(stage: str) -> Path:
    match = re.fullmatch(r"\S*python -m (\S+)", STAGES[stage]["cmd"])
    assert match, STAGES[stage]["cmd"]
    return Path(match[1].replace(".", "/")).with_suffix(".py")


def leaves(tree: object, prefix: str = "") -> list[str]:
    if not isinstance(tree, dict):
        return [prefix]
    return [
        leaf
        for key, value in tree.items()
        for leaf in leaves(value, f"{prefix}.{key}" if prefix else key)
    ]


def covers(declared: str, key: str) -> bool:
    return (
        declared == WHOLE_FILE
        or key == declared
        or key.startswith(declared + ".")
        or declared.startswith(key + ".")
    )


def code_deps(stage: str) -> list[Path]:
    return [Path(path) for path in paths(stage, "deps") if path.startswith("pipeline/")]


def code_files(stage: str) -> set[Path]:
    """Files that a stage imports: of parameters only values count, of packages their modules."""
    return {
        path
        for path in local_imports(script(stage))
        if path.parts[1] != "params" and path.name != "__init__.py"
    }


def covered_files(dep: Path) -> set[Path]:
    if dep.suffix == ".py":
        return {dep}
    return {
        path.relative_to(ROOT) for path in (ROOT / dep).rglob("*.py") if path.name != "__init__.py"
    }


@pytest.mark.parametrize("stage", STAGES)
def test_every_import_of_a_stage_lies_in_a_declared_folder(stage):
    covered = set().union(*map(covered_files, code_deps(stage)))
    assert code_files(stage) <= covered


@pytest.mark.parametrize("stage", STAGES)
def test_every_declared_folder_is_imported_and_declared_once(stage):
    files, deps = code_files(stage), code_deps(stage)
    for dep in deps:
        assert covered_files(dep) & files, dep
        assert not [other for other in deps if other != dep and other in dep.parents], dep


def test_what_a_stage_covers_but_does_not_need_is_listed():
    """A file that shows up here is in the wrong folder, or worth a rerun: then it is listed."""
    found: dict[str, list[str]] = {}
    for stage in STAGES:
        covered = set().union(*map(covered_files, code_deps(stage)))
        for path in sorted(covered - code_files(stage)):
            if path.parts[1] != "base":  # a small folder that every stage stands on
                found.setdefault(str(path.relative_to("pipeline")), []).append(stage)
    assert found == COVERED_BUT_NOT_NEEDED


@pytest.mark.parametrize("package", ["pipeline", "pipeline/firmware", "pipeline/quantization"])
def test_packages_that_no_stage_declares_hold_no_code(package):
    (docstring,) = ast.parse((ROOT / package / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)


@pytest.mark.parametrize("stage", STAGES)
def test_data_deps_come_from_an_earlier_stage(stage):
    earlier: set[str] = set()
    for name in STAGES:
        if name == stage:
            break
        earlier |= {*paths(name, "outs"), *paths(name, "metrics")}
    data = {path for path in paths(stage, "deps") if not path.startswith("pipeline/")}
    assert data <= earlier | {"${data.file}", "./${train.weights}"}


def test_the_check_depends_on_all_parameters_and_comes_before_every_stage():
    assert STAGES[CHECK]["params"] == [{WHOLE_FILE: None}]
    behind = {CHECK}
    made = {
        path: stage
        for stage in STAGES
        for path in (*paths(stage, "outs"), *paths(stage, "metrics"))
    }
    for stage in USING:  # in order
        before = {made.get(path) for path in paths(stage, "deps")}
        assert before & behind, stage
        behind.add(stage)
    direct = [stage for stage in USING if "data/checked.txt" in paths(stage, "deps")]
    assert direct == ["simulate", "prepare", "baseline"]


@pytest.mark.parametrize("stage", STAGES)
def test_stage_scripts_read_only_declared_params(stage):
    declared = [*paths(stage, "params"), HOW_ONLY]
    for used in params_read(script(stage)):
        assert any(covers(key, used) for key in declared), f"{stage} reads {used}"


@pytest.mark.parametrize("stage", STAGES)
def test_declared_params_are_read(stage):
    used = params_read(script(stage))
    for key in paths(stage, "params"):
        assert any(covers(key, name) for name in used), f"{stage} declares {key}, reads {used}"


def test_every_param_is_a_param_of_a_stage_except_how_work_is_spread():
    """Others would be forgotten; these would rerun hours of training for nothing."""
    declared = [key for stage in USING for key in paths(stage, "params")]
    for leaf in leaves(PARAMS):
        covered = any(leaf == key or leaf.startswith(key + ".") for key in declared)
        assert covered != leaf.startswith(HOW_ONLY + "."), leaf
    assert HOW_ONLY in PARAMS


def attributes_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all values of the parameter classes; mappings count as one value."""
    found = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += attributes_of(inner, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


@pytest.mark.parametrize("name", attributes_of(Params))
def test_every_param_is_read_by_the_code_of_a_stage_that_declares_it(name):
    readers = [stage for stage in USING if any(covers(key, name) for key in paths(stage, "params"))]
    if name.startswith(HOW_ONLY + "."):
        readers.append("search")  # reads it without declaring it
    files = {path for stage in readers for path in local_imports(script(stage))}
    read = set().union(*(attributes_read(path) for path in files if path.parts[1] != "params"))
    assert name.rpartition(".")[2] in read


@cache
def attributes_read(path: Path) -> set[str]:
    return {
        node.attr
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


@pytest.mark.parametrize("stage", STAGES)
def test_every_out_is_named_in_the_code_of_its_stage(stage):
    text = "".join((ROOT / path).read_text() for path in local_imports(script(stage)))
    for path in paths(stage, "outs") + paths(stage, "metrics"):
        assert f'"{path}"' in text or f'"{Path(path).name}"' in text, path


def test_metrics_stand_under_metrics_and_outs_are_cached():
    """An uncached file under outs would cost the run cache of its stage."""
    for stage, content in STAGES.items():
        for entry in content.get("metrics", []):
            (options,) = entry.values()
            assert options == {"cache": False}, stage
        outs = content.get("outs", [])
        if stage == CHECK:  # not even its own goes where it refuses a value
            assert outs == [{"data/checked.txt": {"persist": True}}]
        else:
            assert all(isinstance(entry, str) for entry in outs), stage
        assert not [
            path
            for path in paths(stage, "outs")
            if path.endswith(".json") and path.startswith("metrics/")
        ], stage


def test_plots_use_declared_outs():
    outs = {path for stage in STAGES for path in paths(stage, "outs")}
    for plot in GRAPH["plots"]:
        if isinstance(plot, str):
            assert plot in outs
            continue
        ((_, options),) = plot.items()
        assert set(options["y"]) <= outs


@pytest.mark.parametrize("stage", STAGES)
def test_stage_scripts_are_short(stage):
    assert len((ROOT / script(stage)).read_text().splitlines()) < 100


def params_read(path: Path) -> set[str]:
    """Return the dotted keys that a stage script reads from the loaded parameters."""
    tree = ast.parse((ROOT / path).read_text())
    aliases = {"params": ""}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            chain = dotted(node.value, aliases)
            if chain is not None:
                aliases[node.targets[0].id] = chain
    found = {dotted(node, aliases) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    keys = {key for key in found if key}
    return {key for key in keys if is_param(key)}


def dotted(node: ast.AST, aliases: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        base = "" if node.func.id == "load_params" else None
    elif isinstance(node, ast.Name):
        base = aliases.get(node.id)
    else:
        base = None
    return None if base is None else ".".join([*filter(None, [base]), *parts])


def is_param(key: str) -> bool:
    tree: object = PARAMS
    for part in key.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True


@pytest.mark.slow
def test_a_float_network_of_the_users_own_is_a_dependency(tmp_path, monkeypatch):
    """DVC has no optional dependency: an empty value becomes None, a file that is there."""
    (entry,) = [path for path in paths("train", "deps") if "train.weights" in path]
    (tmp_path / "dvc.yaml").write_text(
        f"stages:\n  train:\n    cmd: 'true'\n    deps: ['{entry}']\n"
    )
    shutil.copy(ROOT / "None", tmp_path)
    monkeypatch.chdir(tmp_path)
    subprocess.run([*DVC, "init", "-q", "--no-scm"], check=True)

    def repro(value: str) -> bool:
        """Whether the stage is run again."""
        (tmp_path / "params.yaml").write_text(f"train:\n  weights:{value}\n")
        done = subprocess.run([*DVC, "repro"], check=True, capture_output=True, text=True)
        return "Running stage" in done.stdout

    assert repro("")
    assert not repro("")
    own = tmp_path / "own.h5"
    own.write_text("first")
    assert repro(" own.h5")
    assert not repro(" own.h5")
    own.write_text("second")
    assert repro(" own.h5")
    assert repro("")

"""What of the user's environment and configuration reaches a stage, its workers and its tools."""

import json
import os
import subprocess
import sys

import pytest

from pipeline.base.environment import settle, tool_environment, vendor_environment
from tests.imports import ROOT

HOSTILE = {
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "All_Proxy": "socks5://127.0.0.1:9",
    "no_proxy": "",
    "GRPC_PROXY": "http://127.0.0.1:9",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_CONFIG": "{}",
    "TF2_BEHAVIOR": "0",
    "KERAS_BACKEND": "jax",
    "HLS4ML_BACKENDS": "no_such_module",
    "MPLBACKEND": "no such backend",
    "MATPLOTLIBRC": "/no/such/file",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONSTARTUP": "/no/such/file",
    "DA_HARD_DC": "0",
}
KEPT = {
    "CUDA_VISIBLE_DEVICES": "1",
    "OMP_NUM_THREADS": "3",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "KERASTUNER_TUNER_ID": "chief",
    "PYTHONPATH": "here",
    "PATH": "there",
}


def test_what_changes_results_or_leads_astray_is_removed():
    environ = HOSTILE | KEPT
    settle(environ)
    assert environ == KEPT | {
        "KERAS_HOME": os.devnull,
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    }
    again = dict(environ)
    settle(again)  # in a worker
    assert again == environ


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, "--xla_cpu_multi_thread_eigen=false"),
        ("--xla_dump_to=a", "--xla_dump_to=a --xla_cpu_multi_thread_eigen=false"),
        ("--xla_cpu_multi_thread_eigen=true", "--xla_cpu_multi_thread_eigen=true"),
        ("flags.txt", "--xla_cpu_multi_thread_eigen=false"),
        (
            "--xla_cpu_enable_fast_math=true --xla_dump_to=a",
            "--xla_dump_to=a --xla_cpu_multi_thread_eigen=false",
        ),
    ],
)
def test_small_products_are_not_shared_out_unless_asked_for(given, wanted):
    environ = {} if given is None else {"XLA_FLAGS": given}
    settle(environ)
    assert environ["XLA_FLAGS"] == wanted


def test_open_tools_see_nothing_that_make_or_a_compiler_would_obey(monkeypatch):
    for name in ("MAKEFLAGS", "MAKELEVEL", "CXX", "CPATH", "OPT_FAST", "PYTHONPATH", "LANG"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    found = tool_environment({"VERILATOR_ROOT": "here"})
    assert set(found) <= {
        "PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX",
        "GHDL_PREFIX", "XDG_CACHE_HOME", "YOWASP_CACHE_DIR", "LC_ALL", "TMPDIR", "VERILATOR_ROOT",
    }  # fmt: skip
    assert found["LC_ALL"] == "C.UTF-8"
    assert found["PATH"] == os.environ["PATH"]


def test_vendors_tools_keep_what_their_own_scripts_set(monkeypatch):
    for name in ("XILINX_VIVADO", "LM_LICENSE_FILE", "QUARTUS_ROOTDIR", "MAKEFLAGS", "CXXFLAGS"):
        monkeypatch.setenv(name, "x")
    found = vendor_environment()
    assert {"XILINX_VIVADO", "LM_LICENSE_FILE", "QUARTUS_ROOTDIR"} <= set(found)
    assert not {"MAKEFLAGS", "CXXFLAGS"} & set(found)


CODE = """
import json, os
import pipeline.networks, pipeline.presentation.style
import tensorflow as tf
from tensorflow.keras import backend as K
print(json.dumps([K.floatx(), K.epsilon(), K.image_data_format(), tf.constant(1.0).numpy().item(),
                  [name for name in os.environ if "proxy" in name.lower()]]))
"""


@pytest.mark.slow
def test_configuration_files_of_a_hostile_home_are_not_read(tmp_path):
    """Files of Keras and matplotlib, in the home and in the working directory."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(
        json.dumps({"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"})
    )
    for file in (tmp_path / ".config/matplotlib/matplotlibrc", tmp_path / "matplotlibrc"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("backend: no such backend\nfont.size: 40\n")
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ
        | HOSTILE
        | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONOPTIMIZE": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(result.stdout.splitlines()[-1])
    assert found == ["float32", 1e-7, "channels_last", 1.0, []]


def test_python_that_leaves_asserts_out_is_one_line():
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.params"],
        env=os.environ | {"PYTHONOPTIMIZE": "2", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: PYTHONOPTIMIZE")
    assert result.stderr.count("\n") == 1


def test_no_result_of_ours_hangs_on_an_assert():
    """`PYTHONOPTIMIZE` leaves them out; those about types are for the type checker."""
    for file in (ROOT / "pipeline").rglob("*.py"):
        lines = file.read_text(encoding="utf-8").splitlines()
        asserts = [line.strip() for line in lines if line.strip().startswith("assert ")]
        assert not [line for line in asserts if "isinstance(" not in line], file

"""Repairs of hls4ml 1.3.0's LSTM templates, which compile only where all types are one.

AMD's needs state and accumulator of one type, Intel's input, state and accumulator: then no
state would be rounded. What is repaired are types in the project's own copy of the header,
no arithmetic:

- AMD's ``lstm`` hands arrays of ``accum_t`` on as ``res_T``. It is never called
  (``lstm_static``, which is, has the right types), but compiled with it;
- Intel's ``lstm_cell`` hands the state on as ``data_T``, the input's type, and multiplies it
  with a gate as if both were ``accum_t``.

The GRU's need no repair.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError

HEADER = Path("firmware/nnet_utils/nnet_recurrent.h")


class TemplateError(PipelineError):
    """A template of hls4ml that is not the known one."""


@dataclass(frozen=True)
class _Repair:
    """`wrong` is found `count` times and becomes `right`."""

    wrong: str
    right: str
    count: int = 1


_DENSE = "nnet::dense<{}, {}, typename CONFIG_T::mult_config{}>"
_ACCUM = "typename CONFIG_T::accum_t"
_AMD = (
    _Repair(_DENSE.format("data_T", "res_T", 1), _DENSE.format("data_T", _ACCUM, 1)),
    _Repair(_DENSE.format("data_T", "res_T", 2), _DENSE.format("res_T", _ACCUM, 2)),
)
_INTEL = (
    # In lstm_cell for four gates, in simple_rnn_cell and simple_rnn_pytorch_cell once each.
    _Repair("multiply_U<data_T, ", "multiply_U<res_T, ", 6),
    _Repair(
        "template <class data_T, class res_T, int N> "
        "void multiply_vectors(data_T in1[N], data_T in2[N], res_T out[N])",
        "template <class data_T, class res_T, int N, class other_T> "
        "void multiply_vectors(data_T in1[N], other_T in2[N], res_T out[N])",
    ),
    _Repair(
        f"multiply_vectors<{_ACCUM}, res_T, CONFIG_T::n_out>(gate_f, ",
        f"multiply_vectors<{_ACCUM}, {_ACCUM}, CONFIG_T::n_out>(gate_f, ",
    ),
)
_REPAIRS = {"Vitis": _AMD, "Vivado": _AMD, "Quartus": _INTEL}


def repair_templates(project: Path, recurrent: str | None, backend: str) -> None:
    """Repair the header of a project that has been written.

    Parameters
    ----------
    project
        Its directory.
    recurrent
        Class of the recurrent layer, None without one; only an LSTM's is touched.
    backend
        As in `pipeline.firmware.hls_project.HlsOptions`.

    Raises
    ------
    TemplateError
        If the header is not hls4ml 1.3.0's.
    """
    if recurrent != "LSTM" or backend not in _REPAIRS:
        return
    header = project / HEADER
    code = header.read_text(encoding="utf-8")
    for repair in _REPAIRS[backend]:
        if (found := code.count(repair.wrong)) != repair.count:
            raise TemplateError(
                f"{HEADER}: {repair.wrong!r}: expected {repair.count} in hls4ml 1.3.0's LSTM "
                f"for {backend}, found {found}"
            )
        code = code.replace(repair.wrong, repair.right)
    header.write_text(code, encoding="utf-8")

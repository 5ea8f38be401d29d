"""Repairs of hls4ml 1.3.0's LSTM and GRU templates, in the project's own copies of the headers.

The LSTMs compile only where types are one: AMD's needs state and accumulator of one type,
Intel's input, state and accumulator; then no state would be rounded. Types are repaired:

- AMD's ``lstm`` hands arrays of ``accum_t`` on as ``res_T``. It is never called
  (``lstm_static``, which is, has the right types), but compiled with it;
- Intel's ``lstm_cell`` hands the state on as ``data_T``, the input's type, and multiplies it
  with a gate as if both were ``accum_t``.

Intel's tables of sigmoid and tanh, of LSTM and GRU alike, are read one past their end where an
argument is exactly 8 or 4 in size: only what is larger gets the last entry. With 32768 entries
tanh's index, 16 bits with a sign, becomes -32768 there. The two comparisons are repaired.
AMD's clamp the index itself and need nothing, so AMD's GRU stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import PipelineError

HEADER = Path("firmware/nnet_utils/nnet_recurrent.h")
TABLES = Path("firmware/nnet_utils/nnet_activation.h")


class TemplateError(PipelineError):
    """A template of hls4ml that is not the known one."""


@dataclass(frozen=True)
class _Repair:
    """`wrong` is found `count` times in `header` and becomes `right`."""

    wrong: str
    right: str
    count: int = 1
    header: Path = HEADER


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
# softsign has tanh's comparison behind an index without the inner brackets; no template uses it.
_TANH = "(temp * (CONFIG_T::table_size / MAX_VALUE)).to_int();\n        if (temp {} MAX_VALUE)"
_INTEL_TABLES = (
    _Repair("if (absoluteValue > MAX_VALUE)", "if (absoluteValue >= MAX_VALUE)", header=TABLES),
    _Repair(_TANH.format(">"), _TANH.format(">="), header=TABLES),
)
_REPAIRS = {
    ("LSTM", "Vitis"): _AMD,
    ("LSTM", "Vivado"): _AMD,
    ("LSTM", "Quartus"): (*_INTEL, *_INTEL_TABLES),
    ("GRU", "Quartus"): _INTEL_TABLES,
}


def repair_templates(project: Path, recurrent: str | None, backend: str) -> None:
    """Repair the headers of a project that has been written.

    Parameters
    ----------
    project
        Its directory.
    recurrent
        Class of the recurrent layer, None without one; only an LSTM's and a GRU's are touched.
    backend
        As in `pipeline.firmware.hls.project.Target`.

    Raises
    ------
    TemplateError
        If a header is not hls4ml 1.3.0's.
    """
    for repair in _REPAIRS.get((recurrent or "", backend), ()):
        header = project / repair.header
        code = header.read_text(encoding="utf-8")
        if (found := code.count(repair.wrong)) != repair.count:
            raise TemplateError(
                f"{repair.header}: {repair.wrong!r}: expected {repair.count} in hls4ml 1.3.0's "
                f"{recurrent} for {backend}, found {found}"
            )
        header.write_text(code.replace(repair.wrong, repair.right), encoding="utf-8")

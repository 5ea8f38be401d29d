"""Rounding to a power of two, which hls4ml does not have, as a C++ header in the project.

A layer list names it as the function of an Activation; hls4ml then writes the call with the
types of both sides. The exact sum comes in, so the header decides by comparing integers: a
number n has reached 2**k where n >= 2**(k - 1/2), a limit that is irrational and therefore
never met. All limits are one constant, the square root of 2, shifted. What is left in hardware
is a comparison with a constant for each power and a bit for each power.

The three flavours differ in how a type gives away its bits and in what a layer's array is.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import PipelineError

FUNCTION = "power_of_two"
HEADER = f"nnet_utils/nnet_{FUNCTION}.h"

# What hls4ml includes for any Activation; the header needs what that includes.
_BEFORE = '#include "nnet_utils/nnet_activation.h"\n'

_COMMON = """\
#ifndef NNET_POWER_OF_TWO_H_
#define NNET_POWER_OF_TWO_H_

#include "nnet_common.h"

namespace nnet {

// A number becomes the power of two next to it on a logarithmic scale: 2**k where its size is
// above 2**(k - 1/2) and below 2**(k + 1/2). The result type's smallest power is its step; that
// is also what smaller numbers become, 0 among them, and, if it has no sign, negative ones.
// Beyond its largest power it saturates.

// The smallest integer above 2**(power - 1/2), for a power of at most 64: the constant holds the
// first 64 bits of the square root of 2.
constexpr unsigned long long power_threshold(int power) {
    return power < 1 ? 1ULL : (0xB504F333F9DE6484ULL >> (64 - power)) + 1;
}
"""

_AMD = """
template <class T> struct has_sign;
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct has_sign<ap_fixed<W, I, Q, O, N>> {
    static const bool value = true;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N> struct has_sign<ap_ufixed<W, I, Q, O, N>> {
    static const bool value = false;
};

template <class data_T, class res_T> res_T round_to_power_of_two(data_T x) {
    #pragma HLS INLINE
    const bool sign = has_sign<res_T>::value;
    const int powers = res_T::width - sign;
    // The step of the result is this power of the step of the data.
    const int step = data_T::width - data_T::iwidth - res_T::width + res_T::iwidth;
    const bool negative = x < 0;
    ap_uint<data_T::width> size = x.range(data_T::width - 1, 0);
    if (negative)
        size = -size;
    ap_uint<res_T::width> bits = 0;
    bool reached = true;
    for (int k = 0; k < powers; k++) {
        #pragma HLS UNROLL
        const int next = k + 1 + step;
        const bool beyond = k + 1 < powers && next <= data_T::width && (sign || !negative) &&
                            size >= power_threshold(next);
        bits[k] = reached && !beyond;
        reached = beyond;
    }
    if (sign && negative)
        bits = -bits;
    res_T result;
    result.range(res_T::width - 1, 0) = bits;
    return result;
}

template <class data_T, class res_T, typename CONFIG_T>
void power_of_two(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in]) {
    #pragma HLS PIPELINE

    for (int ii = 0; ii < CONFIG_T::n_in; ii++) {
        res[ii] = round_to_power_of_two<data_T, res_T>(data[ii]);
    }
}
"""

_INTEL = """
template <class data_T, class res_T> res_T round_to_power_of_two(data_T x) {
    constexpr bool sign = res_T::sign;
    constexpr int powers = res_T::width - sign;
    // The step of the result is this power of the step of the data.
    constexpr int step = data_T::width - data_T::i_width - res_T::width + res_T::i_width;
    const bool negative = x < 0;
    ac_int<data_T::width, false> size = x.template slc<data_T::width>(0);
    if (negative)
        size = -size;
    ac_int<res_T::width, false> bits = 0;
    bool reached = true;
    #pragma unroll
    for (int k = 0; k < powers; k++) {
        const int next = k + 1 + step;
        const bool beyond = k + 1 < powers && next <= data_T::width && (sign || !negative) &&
                            size >= ac_int<64, false>(power_threshold(next));
        bits[k] = reached && !beyond;
        reached = beyond;
    }
    if (sign && negative)
        bits = -bits;
    res_T result;
    result.set_slc(0, bits);
    return result;
}
"""

_QUARTUS = """
template <class data_T, class res_T, typename CONFIG_T>
void power_of_two(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in]) {
    #pragma unroll
    for (int ii = 0; ii < CONFIG_T::n_in; ii++) {
        res[ii] = round_to_power_of_two<data_T, res_T>(data[ii]);
    }
}
"""

_ONEAPI = """
template <class data_T, class res_T, typename CONFIG_T>
void power_of_two(const data_T &data, res_T &res) {
    typedef typename data_T::value_type from_T;
    typedef typename res_T::value_type to_T;
    #pragma unroll
    for (int ii = 0; ii < CONFIG_T::n_in; ii++) {
        res[ii] = round_to_power_of_two<from_T, to_T>(data[ii]);
    }
}
"""

_END = """
} // namespace nnet

#endif
"""

_FLAVOURS = {
    "Vitis": _AMD,
    "Vivado": _AMD,
    "Quartus": _INTEL + _QUARTUS,
    "oneAPI": _INTEL + _ONEAPI,
}


class HeaderError(PipelineError):
    """A project of hls4ml into which the header cannot be put."""


def header(backend: str) -> str:
    """Return the header's text for a backend of `pipeline.firmware.hls.project.Target`."""
    return _COMMON + _FLAVOURS[backend] + _END


def add_header(firmware: Path, backend: str) -> None:
    """Write the header into a project and include it.

    Parameters
    ----------
    firmware
        The folder with hls4ml's ``parameters.h`` and ``nnet_utils``.
    backend
        As in `pipeline.firmware.hls.project.Target`.

    Raises
    ------
    HeaderError
        If ``parameters.h`` does not include hls4ml's activations exactly once.
    """
    parameters = firmware / "parameters.h"
    code = parameters.read_text(encoding="utf-8")
    if (found := code.count(_BEFORE)) != 1:
        raise HeaderError(
            f"firmware/{parameters.name}: {_BEFORE.strip()!r}: expected 1 in what hls4ml 1.3.0 "
            f"writes for {backend}, found {found}"
        )
    parameters.write_text(
        code.replace(_BEFORE, f'{_BEFORE}#include "{HEADER}"\n'), encoding="utf-8"
    )
    (firmware / HEADER).write_text(header(backend), encoding="utf-8")

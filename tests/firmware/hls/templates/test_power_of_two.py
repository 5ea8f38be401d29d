"""The C++ header that rounds to powers of two, compiled alone, against its definition."""

import ctypes
import random
import re
import subprocess
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.hls.templates.power_of_two import (
    FUNCTION,
    HEADER,
    HeaderError,
    add_header,
    header,
)

BACKENDS = ["Vitis", "Vivado", "Quartus", "oneAPI"]
CONSTANT = "0xB504F333F9DE6484ULL"

# What the project's own nnet_common.h gives a header, less oneAPI's compiler.
COMMON = {
    "amd": '#include "ap_fixed.h"\n#include "ap_int.h"\n',
    "intel": "#include <ac_fixed.h>\n#include <array>\n",
}
MAIN = """\
#include "nnet_power_of_two.h"
struct config {{ static const int n_in = 1; }};
{functions}
"""
FUNCTIONS = {
    "amd": """
extern "C" void round{i}(const long long *in, long long *out, long n) {{
    typedef {data} data_t;
    typedef {res} res_t;
    for (long j = 0; j < n; j++) {{
        data_t x[1];
        res_t y[1];
        x[0].range(data_t::width - 1, 0) = in[j];
        nnet::power_of_two<data_t, res_t, config>(x, y);
        {integer}<res_t::width> bits;
        bits.range(res_t::width - 1, 0) = y[0].range(res_t::width - 1, 0);
        out[j] = bits.to_int64();
    }}
}}""",
    "intel": """
extern "C" void round{i}(const long long *in, long long *out, long n) {{
    typedef {data} data_t;
    typedef {res} res_t;
    for (long j = 0; j < n; j++) {{
        {x};
        {y};
        x[0].set_slc(0, ac_int<data_t::width, data_t::sign>(in[j]));
        nnet::power_of_two<{types}, config>(x, y);
        out[j] = y[0].slc<res_t::width>(0).to_int64();
    }}
}}""",
}


def of(bits: int, fraction_bits: int, signed: bool = True, **modes: str) -> FixedPointType:
    return FixedPointType(signed=signed, bits=bits, fraction_bits=fraction_bits, **modes)


def powers(bits: int, fraction_bits: int, signed: bool = True) -> FixedPointType:
    return of(bits, fraction_bits, signed, rounding="PO2")


# The sum's type and the result's: a step of one far above, equal to and far below the other's.
PAIRS = [
    (of(18, 12), powers(6, 3)),
    (of(18, 12), powers(6, 3, signed=False)),
    (of(62, 40), powers(30, 20)),
    (of(62, 61), powers(40, 61, signed=False)),
    (of(62, 0), powers(53, -5)),
    (of(9, 4), powers(9, 4)),
    (of(9, 4), powers(12, 9, signed=False)),  # coarser than the result
    (of(9, 4), powers(12, 14)),  # 0 is the only one below a step
    (of(5, -3), powers(4, 2)),
    (of(5, 12), powers(4, 2)),  # only the smallest power is reached
    (of(12, 6), powers(1, 3, signed=False)),
    (of(12, 6), powers(2, 3)),
    (of(1, 0), powers(3, 1)),
    (of(10, 4, signed=False), powers(6, 3)),
    (of(62, 30, signed=False), powers(61, 30, signed=False)),
]


def definition(integer: int, data: FixedPointType, to: FixedPointType) -> int:
    """Integer of the power next to a number, by the square of the number."""
    x = abs(integer) * Fraction(2) ** (to.fraction_bits - data.fraction_bits)
    power = 0
    if integer > 0 or to.signed:
        while power < to.bits - 1 - to.signed and x**2 > Fraction(2) ** (2 * power + 1):
            power += 1
    return -(1 << power) if integer < 0 and to.signed else 1 << power


def integers(data: FixedPointType) -> list[int]:
    """All of a small type; of a large one the ends, and both sides of every limit."""
    if data.bits <= 12:
        return list(range(data.minimum, data.maximum + 1))
    limits = [int(2.0 ** (power - 0.5)) for power in range(50)]
    near = [limit + by for limit in limits for by in (-1, 0, 1, 2)]
    near += [1 << power for power in range(data.bits - 1)]
    # From 2**50 on a double does not tell the sides of a limit apart.
    root = 0xB504F333F9DE6484
    near += [(root >> drop) + by for drop in range(1, 20) for by in (-1, 0, 1, 2)]
    near += random.Random(0).sample(range(data.maximum), 500)
    both = {sign * n for n in [*near, data.maximum] for sign in (1, -1)} | {data.minimum}
    return sorted(n for n in both if data.minimum <= n <= data.maximum)


def cpp_type(backend: str, of: FixedPointType) -> str:
    whole = of.bits - of.fraction_bits
    if backend in ("Quartus", "oneAPI"):
        return f"ac_fixed<{of.bits}, {whole}, {str(of.signed).lower()}>"
    return f"ap_{'' if of.signed else 'u'}fixed<{of.bits}, {whole}>"


def function(backend: str, number: int, data: FixedPointType, to: FixedPointType) -> str:
    array = "std::array<{}, 1>" if backend == "oneAPI" else "{}"
    x, y = array.format("data_t"), array.format("res_t")
    one = "" if backend == "oneAPI" else "[1]"
    return FUNCTIONS["intel" if backend in ("Quartus", "oneAPI") else "amd"].format(
        i=number,
        data=cpp_type(backend, data),
        res=cpp_type(backend, to),
        integer="ap_int" if to.signed else "ap_uint",
        x=f"{x} x{one}",
        y=f"{y} y{one}",
        types=f"{x}, {y}",
    )


def compiled(backend: str, text: str, folder: Path) -> ctypes.CDLL:
    intel = backend in ("Quartus", "oneAPI")
    found = find_spec("hls4ml")
    assert found
    assert found.origin
    templates = Path(found.origin).parent / "templates"
    types = templates / ("quartus/ac_types" if intel else "vivado/ap_types")
    functions = "\n".join(function(backend, i, *pair) for i, pair in enumerate(PAIRS))
    (folder / "nnet_common.h").write_text(COMMON["intel" if intel else "amd"])
    (folder / "nnet_power_of_two.h").write_text(text)
    (folder / "main.cpp").write_text(MAIN.format(functions=functions))
    flags = ["-std=c++17" if backend == "oneAPI" else "-std=c++11", "-O1", "-fPIC", "-shared"]
    command = ["g++", *flags, "-fno-gnu-unique", f"-I{types}", "main.cpp", "-o", "lib.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(str(folder / "lib.so"))


def differing(library: ctypes.CDLL) -> list[int]:
    """Numbers that a pair of types rounds in another way than the definition, pair by pair."""
    counts = []
    for number, (data, to) in enumerate(PAIRS):
        given = integers(data)
        expected = [definition(n, data, to) for n in given]
        assert {1, definition(data.maximum, data, to)} <= set(expected)
        source, found = np.array(given, np.int64), np.empty(len(given), np.int64)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (source, found))
        getattr(library, f"round{number}")(*pointers, ctypes.c_long(len(given)))
        counts.append(int(np.count_nonzero(found != np.array(expected))))
    return counts


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("Vitis", marks=pytest.mark.slow),
        "Quartus",
        pytest.param("oneAPI", marks=pytest.mark.slow),
    ],
)
def test_every_power_and_both_sides_of_every_limit(backend, tmp_path):
    """oneAPI's flavour, too: of its compiler the header needs nothing."""
    assert differing(compiled(backend, header(backend), tmp_path)) == [0] * len(PAIRS)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (CONSTANT, "0xC000000000000000ULL"),  # 1.5: the arithmetic middle
        (CONSTANT, "0xB504F333F9DE6400ULL"),  # only the widest sums tell
        ("(64 - power)) + 1", "(64 - power))"),  # the limit itself has not been reached
        ("const bool negative = x < 0;", "const bool negative = x <= 0;"),
        ("(sign || !negative) &&", ""),
        ("power < 1 ? 1ULL", "power < 1 ? 0ULL"),
    ],
)
@pytest.mark.slow
def test_a_wrong_header_shows(right, wrong, tmp_path):
    text = header("Quartus")
    assert text.count(right) == 1
    assert any(differing(compiled("Quartus", text.replace(right, wrong), tmp_path)))


def test_amds_compilers_share_a_header_intels_do_not():
    assert header("Vitis") == header("Vivado")
    assert len({header(backend) for backend in BACKENDS}) == 3
    for backend in BACKENDS:
        code = header(backend)
        assert f"void {FUNCTION}(" in code
        assert not re.search(r"\b(float|double|sqrt|pow|log2?)\b", code)


@pytest.mark.parametrize("includes", [0, 2])
def test_parameters_without_the_place_are_refused(includes, tmp_path):
    text = '#include "nnet_utils/nnet_activation.h"\n' * includes
    (tmp_path / "parameters.h").write_text(text)
    message = rf"firmware/parameters\.h: .*expected 1.*found {includes}"
    with pytest.raises(HeaderError, match=message):
        add_header(tmp_path, "Vitis")
    assert (tmp_path / "parameters.h").read_text() == text
    assert not (tmp_path / HEADER).exists()

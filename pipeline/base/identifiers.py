"""Names that go into generated sources and tool scripts: what is allowed, and why not.

One name is a module in Verilog, an entity in VHDL, a function in C++ and a word in Tcl and
Yosys scripts. So it is a plain identifier, and a reserved word of none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

# Letters, digits and single underscores, as VHDL has it; that is more than Verilog asks for.
RTL_NAME = r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*"
CPP_NAME = r"[A-Za-z_][A-Za-z0-9_]*"

# IEEE 1800-2017, annex B, which includes those of Verilog.
_VERILOG = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
checker class clocking cmos config const constraint context continue cover covergroup coverpoint
cross deassign default defparam design disable dist do edge else end endcase endchecker endclass
endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually
expect export extends extern final first_match for force foreach forever fork forkjoin function
generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies
import incdir include initial inout input inside instance int integer interconnect interface
intersect join join_any join_none large let liblist library local localparam logic longint
macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive
priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect
pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on
release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually
s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled signed small
soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran
tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until
until_with untyped use uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while
wildcard wire with within wor xnor xor
"""
# IEEE 1076-2008, 15.10.
_VHDL = """
abs access after alias all and architecture array assert assume assume_guarantee attribute begin
block body buffer bus case component configuration constant context cover default disconnect
downto else elsif end entity exit fairness file for force function generate generic group guarded
if impure in inertial inout is label library linkage literal loop map mod nand new next nor not
null of on open or others out package parameter port postponed procedure process property
protected pure range record register reject release rem report restrict restrict_guarantee return
rol ror select sequence severity shared signal sla sll sra srl strong subtype then to transport
type unaffected units until use variable vmode vprop vunit wait when while with xnor xor
"""
# ISO C++17, [lex.key] and [lex.digraph].
_CPP = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
class compl const const_cast constexpr continue decltype default delete do double dynamic_cast
else enum explicit export extern false float for friend goto if inline int long mutable namespace
new noexcept not not_eq nullptr operator or or_eq private protected public register
reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
template this thread_local throw true try typedef typeid typename union unsigned using virtual
void volatile wchar_t while xor xor_eq
"""
# Beside the language: da4ml's modules, the benches, libraries that VHDL knows.
_RTL_TAKEN = "multiplier mux negative shift_adder bench stream_bench ieee std work"
# What the C++ of a project has under these names, as identifiers or files.
_CPP_TAKEN = "main std nnet window output defines parameters"

_RTL_RESERVED = {
    "Verilog": frozenset(_VERILOG.split()),
    "VHDL": frozenset(_VHDL.split()),
    "the generated RTL": frozenset(_RTL_TAKEN.split()),
}
_CPP_RESERVED = {
    "C++": frozenset(_CPP.split()),
    "the generated C++": frozenset(_CPP_TAKEN.split()),
}


def check_rtl_name(name: object) -> str:
    """Return a name that Verilog and VHDL both take.

    Raises
    ------
    ValueError
        Saying what was expected.
    """
    # VHDL does not tell capitals from small letters.
    return _checked(name, RTL_NAME, _RTL_RESERVED, str.lower)


def check_cpp_name(name: object) -> str:
    """Return a name that C++ takes for a function.

    Raises
    ------
    ValueError
        Saying what was expected.
    """
    return _checked(name, CPP_NAME, _CPP_RESERVED, str)


def _checked(
    name: object,
    pattern: str,
    reserved: Mapping[str, frozenset[str]],
    folded: Callable[[str], str],
) -> str:
    if not isinstance(name, str) or not re.fullmatch(pattern, name):
        raise ValueError(f"expected {pattern}")
    for where, words in reserved.items():
        if folded(name) in words:
            raise ValueError(f"expected a name that is not reserved in {where}")
    return name

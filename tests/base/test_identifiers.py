"""Names that generated sources and tool scripts can bear."""

import pytest

from pipeline.base.identifiers import check_cpp_name, check_rtl_name


@pytest.mark.parametrize("name", ["calorimeter_rnn", "a", "A1_b2"])
def test_a_plain_name_is_taken(name):
    assert check_rtl_name(name) == check_cpp_name(name) == name


@pytest.mark.parametrize("name", ["", "1a", "a b", "a;b", "a\n", "a[0]", "$a", "\xe4", 3, None])
def test_what_is_no_name_is_refused(name):
    for check in (check_rtl_name, check_cpp_name):
        with pytest.raises(ValueError, match="expected"):
            check(name)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("always_ff", "Verilog"),
        ("reg", "Verilog"),
        ("Downto", "VHDL"),
        ("SIGNAL", "VHDL"),
        ("shift_adder", "the generated RTL"),
        ("work", "the generated RTL"),
    ],
)
def test_words_of_hardware_languages_are_refused(name, where):
    with pytest.raises(ValueError, match=f"not reserved in {where}"):
        check_rtl_name(name)


@pytest.mark.parametrize(
    ("name", "where"), [("class", "C"), ("co_await", None), ("nnet", "the gen"), ("Class", None)]
)
def test_words_of_cpp_are_refused(name, where):
    """C++ tells capitals from small letters, and the projects are C++14 and C++17."""
    if where is None:
        assert check_cpp_name(name) == name
    else:
        with pytest.raises(ValueError, match=f"not reserved in {where}"):
            check_cpp_name(name)


@pytest.mark.parametrize("name", ["_a", "a__b", "a_"])
def test_underscores_are_vhdl_s_concern(name):
    assert check_cpp_name(name) == name
    with pytest.raises(ValueError, match="expected"):
        check_rtl_name(name)

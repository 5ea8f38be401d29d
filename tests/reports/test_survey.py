"""The survey's columns and tables."""

from pipeline.artifacts.survey import Survey
from pipeline.reports.survey import survey_columns, survey_markdown
from tests.reports.survey_of_two import CHOSEN, ECP5, WIDE


def test_columns_are_of_one_length_and_in_order():
    table = survey_columns([CHOSEN, WIDE])
    assert table["network"] == ["finetuned", "uniform_16"]
    assert table["kind"] == ["finetuned", "uniform"]
    assert table["lut"] == [3212, 17000]
    assert table["validation_rmse_mev"] == [50.17, 50.17]
    assert table["latency_ns"] == [65.0, 65.0]
    assert {len(column) for column in table.values()} == {2}


def test_the_report_has_a_row_for_each_network_in_each_table():
    text = survey_markdown(Survey(networks=[CHOSEN, WIDE]))
    assert (
        "| finetuned | 6 | 8 / 4 / 9 | 338 | 50.17 | 44.5 | 3212 | 3039 | 1178 | 2 | 0 | 25 | 26 "
        "| 65.0 |" in text
    )
    assert "## 384 cells: 32 cores" in text
    assert "| finetuned | 102784 | 97248 | 37696 | 64 | 0 | 8.7 % | 4.1 % | 0.9 % |" in text
    assert "LUT of AMD XCVU9P" in text
    assert "| uniform_16 | 20000 | 0 | 500 | 0 |" in text
    assert "compares none with QKeras" in text
    assert "float32 does not hold every sum of uniform_16:" in text


def test_a_family_without_a_device_has_no_shares():
    text = survey_markdown(Survey(networks=[ECP5]))
    assert "| finetuned | 102784 | 97248 | 37696 | 64 | 0 |\n" in text
    assert "float32 holds every sum" in text


def test_without_rtl_the_report_says_why_and_the_columns_are_empty():
    assert survey_markdown(Survey(no_rtl="only tables")) == "only tables\n"
    assert survey_columns([]) == {"network": [], "lut": [], "validation_rmse_mev": []}

"""The templates of ``dvc plots``: filled by DVC's own renderer, with axes that show something."""

from __future__ import annotations

import json

import pytest
import yaml
from dvc_render.vega import VegaRenderer
from dvc_render.vega_templates import TEMPLATES

from tests.imports import ROOT

FOLDER = ROOT / ".dvc" / "plots"
OWN = sorted(path.stem for path in FOLDER.glob("*.json"))
PLOTS = [
    item for entry in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    if isinstance(entry, dict) for item in entry.items()
]  # fmt: skip


def rendered(options: dict, template_dir: str = str(FOLDER)) -> dict:
    ((path, columns),) = options["y"].items()
    points = [
        {options["x"]: x, "y": x + 40.0, "rev": "workspace", "filename": path, "field": column}
        for column in columns
        for x in (1.0, 2.0)
    ]
    renderer = VegaRenderer(
        points, "plot", template=options["template"], template_dir=template_dir,
        x=options["x"], y="y", x_label=options["x_label"], y_label=options["y_label"],
        anchors_y_definitions=[{"filename": path, "field": column} for column in columns],
    )  # fmt: skip
    return json.loads(json.dumps(renderer.get_filled_template(), allow_nan=False))


@pytest.mark.parametrize(("title", "options"), PLOTS)
def test_every_plot_has_a_template_that_dvc_fills(title, options):
    known = {template.DEFAULT_NAME for template in TEMPLATES}
    assert options["template"] in {*OWN, *known}, title
    content = rendered(options)
    assert "<DVC_METRIC" not in json.dumps(content)
    assert len(content["data"]["values"]) == 2 * len(next(iter(options["y"].values())))


@pytest.mark.parametrize(
    ("title", "scale"),
    [
        ("Training of the float network", {"type": "log", "zero": False, "nice": False}),
        ("Fine-tuning of the quantized network", {"type": "log", "zero": False, "nice": False}),
        ("Trials of the search", {"zero": False}),
        ("Area against RMSE", {"zero": False}),
    ],
)
def test_the_axis_of_an_error_does_not_start_at_zero(title, scale):
    encoding = rendered(dict(PLOTS)[title])["encoding"]
    assert encoding["y"]["scale"] == scale
    assert encoding["y"]["title"].endswith("RMSE [MeV]")
    assert encoding["x"]["field"] == dict(PLOTS)[title]["x"]


def test_every_template_is_used():
    assert OWN
    assert set(OWN) <= {options["template"] for _, options in PLOTS}

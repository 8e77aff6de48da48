"""What a fit leaves beside its model, where one video of the list could not be read."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vidtok.data.lists import Records
from vidtok.runs.fit_results import write_fit

CLASSES = ("jump", "run")
LOGITS = torch.tensor([[2.0, 0.0], [3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The folder and the figures: rows 0, 2 and 3 were read, of which row 2 was taken for the other class."""
    folder = tmp_path_factory.mktemp("fit")
    labels = [(0,), (0,), (1,), (1,)]
    paths = [f"{name}.mp4" for name in "abcd"]
    records = Records(paths, [list(own) for own in labels], root=folder, source=folder / "list.csv")
    rows = [0, 2, 3]
    detail = write_fit(
        folder,
        {"line": "fit ok: x | RUN", "figure": "top1", "plain": 2 / 3, "features": "Größe"},
        records=records,
        rows=rows,
        labels=[labels[row] for row in rows],
        groups=["p1", "p2", "p2"],
        logits=LOGITS,
        classes=CLASSES,
        kind="softmax",
    )
    return folder, detail


def test_fit_json_has_what_it_is_given_and_all_figures(left):
    folder, detail = left
    text = Path(folder / "fit.json").read_text("ascii")
    told = json.loads(text)
    assert text.endswith("}\n")
    assert list(told) == ["line", "figure", "plain", "features", "detail", "mistakes"]
    assert (told["line"], told["features"]) == ("fit ok: x | RUN", "Größe")
    assert told["detail"] == json.loads(json.dumps(detail.as_dict(CLASSES)))
    assert told["detail"]["figures"]["top1"]["value"] == pytest.approx(2 / 3), "the video that was not read is no miss"
    assert told["detail"]["intervals"]["drawn"] == 2, "groups of those that were read"
    assert [Path(each["path"]).name for each in told["mistakes"]] == ["c.mp4"]
    assert (told["mistakes"][0]["labels"], told["mistakes"][0]["taken_for"]) == (["run"], "jump")
    assert told["mistakes"][0]["score"] == pytest.approx(float(LOGITS.softmax(dim=1)[1, 0]))


def test_scores_stand_beside_it_under_the_videos_own_names_and_groups(left):
    folder, _ = left
    kept = np.load(folder / "predictions.npz")
    assert [Path(name).stem for name in kept["video"]] == ["a", "c", "d"]
    assert [Path(name).stem for name in kept["key"]] == ["a", "c", "d"]
    assert kept["group"].tolist() == ["p1", "p2", "p2"]
    assert kept["failed"].tolist() == []
    np.testing.assert_allclose(kept["scores"], LOGITS.softmax(dim=1).float().numpy())
    assert kept["labels"].tolist() == [[1, 0], [0, 1], [0, 1]]


def test_the_page_shows_both(left):
    folder, _ = left
    page = (folder / "report.html").read_text("utf-8")
    assert "c.mp4" in page
    assert "fit ok: x | RUN" in page

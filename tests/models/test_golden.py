"""vidtok against recorded outputs of the official implementations, through its own importers.

The small cases lie in tests/golden. `VIDTOK_GOLDEN=FOLDER` runs the same test on the cases of another folder.
"""

import pytest
import torch
from safetensors.torch import load_file

from tests.golden import hierarchical, scenic, transformers_vivit
from tests.golden.case import FOLDER, Case, UnknownVariant, check
from vidtok.models.weights.flax_file import read_flax
from vidtok.models.weights.pth import read_pth

SYSTEMS = {
    "vivit": scenic.vivit,
    "tokenlearner": scenic.tokenlearner,
    "hf_vivit": transformers_vivit.vivit,
    "stvit": hierarchical.stvit,
    "maxvit": hierarchical.maxvit,
    "casvit": hierarchical.casvit,
}
# Systems whose official files are read by a function of ours, or by safetensors itself.
READERS = {"vivit": read_flax, "hf_vivit": load_file, "stvit": read_pth, "casvit": read_pth}
FILES = sorted(FOLDER.glob("*.json"))


def test_there_are_cases():
    assert FILES, f"no cases in {FOLDER}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_same_numbers_as_the_official_code(file):
    case = Case.read(file)
    if case.meta["system"] not in SYSTEMS:
        raise UnknownVariant(f"system {case.meta['system']!r} is none of {sorted(SYSTEMS)}")
    check(case, SYSTEMS[case.meta["system"]](case))


def official_file(case):
    facts = case.meta.get("checkpoint_file")
    path = case.folder / facts["file"] if facts else None
    return path if path and path.exists() and case.meta["system"] in READERS else None


@pytest.mark.parametrize("file", [file for file in FILES if official_file(Case.read(file))], ids=lambda file: file.stem)
def test_the_official_file_gives_the_official_output(file):
    """The large files lie only in the folder that VIDTOK_GOLDEN names."""
    case = Case.read(file)
    built = SYSTEMS[case.meta["system"]](case)
    report = built.load(READERS[case.meta["system"]](official_file(case)))
    assert not report.missing + report.resized, report
    assert all(line.endswith("(a constant)") for line in report.skipped), report
    built.module.eval()
    tolerance = case.meta["recommended_tolerance"]
    # Averaged weights come first where a file has them.
    output = "output_model_ema" if "output_model_ema" in case.want else "output"
    got, want = built.call(*case.inputs()).detach(), torch.from_numpy(case.want[output])
    torch.testing.assert_close(got, want, atol=tolerance["output_atol"], rtol=tolerance["output_rtol"])

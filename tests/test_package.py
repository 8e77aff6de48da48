"""The package's own surface: functions, imported when they are asked for."""

import subprocess
import sys
import tomllib

import pytest

import vidtok
from tests.conftest import ROOT
from vidtok.models.create import create_model


def test_importing_vidtok_imports_no_torch():
    code = "import sys, vidtok.errors; print(*(m for m in ('torch', 'numpy', 'timm', 'pydantic') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_promised_name_is_there():
    assert {name: callable(getattr(vidtok, name)) for name in vidtok.__all__} == dict.fromkeys(vidtok.__all__, True)
    names = {"create_model", "export", "fit", "list_encoders", "list_models", "load", "open_video", "predict"}
    assert set(vidtok.__all__) == {*names, "StreamingClassifier"} <= set(dir(vidtok))
    assert vidtok.create_model is create_model
    assert "casvit_xs" in vidtok.list_models("casvit*")


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="module 'vidtok' has no attribute 'creat_model'"):
        vidtok.creat_model  # noqa: B018


def test_every_folder_of_the_package_is_in_the_wheel_s_list():
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    there = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "vidtok").rglob("*.py")}
    assert set(told) == there | {"vidtok.configs", "vidtok.data_lists"}

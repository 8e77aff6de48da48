"""The hub's cache first, the hub within seconds, and an error that says what was tried."""

import pytest

from vidtok.errors import CheckpointError
from vidtok.models import encoders, hub_folder
from vidtok.models.encoders import find_encoder


def test_what_the_cache_holds_whole_is_taken_from_there(tmp_path, monkeypatch):
    asked = []

    def cached(name, **options):
        asked.append((name, options))
        return str(tmp_path)

    monkeypatch.setattr(hub_folder, "snapshot_download", cached)
    monkeypatch.setattr(hub_folder, "HfApi", _NoAnswer)
    with pytest.raises(CheckpointError, match=r"a/b@refs/pr/4: no folder of this name, not in the hub's cache"):
        find_encoder("a/b@refs/pr/4")  # nothing is there yet but an empty folder
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"")
    assert hub_folder.hub_folder("a/b", "refs/pr/4") == tmp_path
    assert asked[-1] == ("a/b", {"revision": "refs/pr/4", "local_files_only": True})


def test_only_files_that_run_no_code_are_fetched(tmp_path, monkeypatch, capsys):
    asked = []

    def fetched(name, *, local_files_only=False, **options):
        if local_files_only:
            raise hub_folder.LocalEntryNotFoundError("not here")
        asked.append(options)
        return str(tmp_path)

    monkeypatch.setattr(hub_folder, "snapshot_download", fetched)
    monkeypatch.setattr(hub_folder, "HfApi", _Answer)
    assert hub_folder.hub_folder("a/b", None) == tmp_path
    assert capsys.readouterr().out == "fetching a/b (3 MiB, licence: mit)\n"
    (wanted,) = asked
    assert "pytorch_model.bin" not in wanted["allow_patterns"]
    assert not [form for form in wanted["allow_patterns"] if form.endswith((".bin", ".py", "*"))]


def test_a_name_without_a_slash_is_timm_s(monkeypatch):
    monkeypatch.setattr(encoders, "hub_folder", None)
    with pytest.raises(encoders.ModelError, match="timm has no network of this name"):
        find_encoder("no_such_network")


class _File:
    def __init__(self, rfilename, size):
        self.rfilename, self.size = rfilename, size


class _Answer:
    def model_info(self, *names, **options):
        files = [
            _File("model.safetensors", 3 * 2**20),
            _File("pytorch_model.bin", 5 * 2**20),
            _File("config.json", None),
        ]
        return type("Info", (), {"siblings": files, "card_data": {"license": "mit"}})()


class _NoAnswer:
    def model_info(self, *names, **options):
        raise OSError("no network")

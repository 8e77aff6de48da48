"""Tables that are kept beside long videos: the same frames as without, and none that are not of the file."""

import multiprocessing
import os
import shutil
import signal
import time
from fractions import Fraction

import numpy as np
import pytest
import torch

from tests.video.clips import GROUPS, make_clip, read_numbers, remux
from vidtok.video import packets, table_file
from vidtok.video.packets import PacketReader
from vidtok.video.pyav import PyAVReader
from vidtok.video.table_file import file_state, keep_table, read_table, table_folder, table_path

FRAMES = 60
FORMS = {
    "mp4": ("a.mp4", "keyframe every 12, B-frames"),
    "open groups": ("a.mp4", "open groups"),
    "keyframes only": ("a.mp4", "keyframes only"),
    "mkv": ("a.mkv", "keyframe every 12, B-frames"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, into which short videos come too, and at once."""
    monkeypatch.setenv("VIDTOK_CACHE", str(tmp_path / "cache"))
    for module in (table_file, packets):
        monkeypatch.setattr(module, "LEAST_PACKETS", 8)
    monkeypatch.setattr(table_file, "SETTLED_SECONDS", -1.0)
    return tmp_path / "cache" / "tables"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    return {name: make_clip(folder / f"{place}{file}", frames=FRAMES, options=GROUPS[groups])
            for place, (name, (file, groups)) in enumerate(FORMS.items())}  # fmt: skip


@pytest.fixture
def clip(made, tmp_path):
    return shutil.copy(made["mp4"], tmp_path / "clip.mp4")


def demuxed(monkeypatch) -> list[int]:
    """Grows by one for each packet that is read from a file from now on."""
    read: list[int] = []
    inner = PacketReader._demuxed

    def counted(self, container, stream):
        for packet in inner(self, container, stream):
            read.append(packet.pts)
            yield packet

    monkeypatch.setattr(PacketReader, "_demuxed", counted)
    return read


def opened(path, indices=(3, 30, 31, 55)):
    with PyAVReader(path) as video:
        return video.frames_at(indices), video.table, video.fps, video.start_seconds


def same(one, other) -> bool:
    tables = all(np.array_equal(getattr(one[1], key), getattr(other[1], key)) for key in ("ticks", "entry"))
    return torch.equal(one[0].pixels, other[0].pixels) and tables and one[2:] == other[2:]


@pytest.mark.parametrize("form", FORMS)
def test_a_kept_table_gives_the_same_frames_by_few_packets(form, made, monkeypatch):
    first = opened(made[form])
    read = demuxed(monkeypatch)
    second = opened(made[form])
    assert same(first, second)
    assert read_numbers(second[0].pixels) == [3, 30, 31, 55]
    assert len(read) < FRAMES  # opening reads none; with jumps of 12 frames most are left out
    with PacketReader(made[form]) as video:
        read.clear()
        assert [frame.pts for frame in video.decoded(0)] == video.table.ticks.tolist()
        assert len(read) == FRAMES
        entry = int(video.table.entry[50])
        assert entry > 30
        read.clear()
        next(video.decoded(entry))
        assert len(read) <= 6  # as many as the decoder takes before its first frame


def test_every_frame_alone(made):
    for form in ("open groups", "mkv"):
        opened(made[form])
        with PyAVReader(made[form]) as video:
            order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(0)).tolist()
            assert [read_numbers(video.frames_at([index]).pixels)[0] for index in order] == order


def test_a_seek_that_lands_elsewhere_is_not_followed(clip, monkeypatch):
    expected = opened(clip)
    read = demuxed(monkeypatch)
    inner = PacketReader._seek
    for shift in (-512 * 24, 512 * 24):  # far before what is wanted; behind it
        monkeypatch.setattr(PacketReader, "_seek", lambda self, pts, shift=shift: inner(self, pts + shift))
        read.clear()
        assert read_numbers(opened(clip, [30])[0].pixels) == [30]
        assert len(read) > 30  # skipped on the way, or read from the beginning
        assert same(opened(clip), expected)


@pytest.mark.parametrize("column", ["pts", "size", "flags"])
def test_packets_that_are_not_the_table_s_are_not_taken(column, clip, monkeypatch):
    expected = opened(clip)
    inner = PacketReader._jumped

    def jumped(self, known, first):
        values = {key: getattr(known, key).copy() for key in ("pts", "size", "flags")}
        values[column][30:] += 1
        taken = list(inner(self, type(known)(**values), first))
        assert len(taken) <= max(0, 30 - first)
        yield from taken

    monkeypatch.setattr(PacketReader, "_jumped", jumped)
    assert same(opened(clip), expected)


def test_damage_in_the_table_s_file_is_seen(clip, cache, monkeypatch):
    expected = opened(clip)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    read = demuxed(monkeypatch)
    spots = [0, 20, 50, 70, 90, 110, table_file.HEADER.size + 3, len(whole) // 2, len(whole) - 2]
    contents = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in spots]
    for content in [*contents, b"", whole[:50], whole[:-1], whole + b"x", bytes(len(whole))]:
        file.write_bytes(content)
        read.clear()
        assert same(opened(clip), expected)
        assert len(read) >= FRAMES  # the packets, not the file
        assert file.read_bytes() == whole  # and the file was made anew


def test_a_changed_file_is_read_again(made, tmp_path, cache):
    clip = tmp_path / "clip.mp4"
    shutil.copy(made["mp4"], clip)
    opened(clip)
    old = clip.stat()
    other = make_clip(tmp_path / "other.mp4", frames=48, options=GROUPS["keyframe every 12, B-frames"])
    content = other.read_bytes()
    # Bytes behind the last box do not count: as long as before, written in place, with the time of before.
    free = (old.st_size - len(content)).to_bytes(4, "big") + b"free"
    clip.write_bytes((content + free).ljust(old.st_size, b"\0"))
    os.utime(clip, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert (clip.stat().st_size, clip.stat().st_mtime_ns) == (old.st_size, old.st_mtime_ns)
    frames, table, *_ = opened(clip, [40])
    assert len(table) == 48
    assert read_numbers(frames.pixels) == [40]
    shutil.copy(made["open groups"], aside := tmp_path / "aside.mp4")
    os.replace(aside, clip)
    assert len(opened(clip)[1]) == FRAMES
    assert len(list(cache.iterdir())) == 1


def test_of_a_file_that_changes_while_it_is_read_nothing_is_kept(clip, cache, monkeypatch):
    inner = PacketReader._read_table

    def read(self):
        table = inner(self)
        os.utime(clip, ns=(1, 1))
        return table

    monkeypatch.setattr(PacketReader, "_read_table", read)
    opened(clip)
    assert not cache.exists()


def test_only_long_videos_that_have_settled_are_kept(clip, cache, monkeypatch):
    monkeypatch.setattr(table_file, "SETTLED_SECONDS", 60.0)
    opened(clip)
    os.utime(clip, ns=(1, 1))  # the time of change tells all the same
    opened(clip)
    monkeypatch.setattr(table_file, "SETTLED_SECONDS", -1.0)
    for module in (table_file, packets):
        monkeypatch.setattr(module, "LEAST_PACKETS", FRAMES + 1)
    opened(clip)
    assert not cache.exists()
    for module in (table_file, packets):
        monkeypatch.setattr(module, "LEAST_PACKETS", FRAMES)
    opened(clip)
    assert len(list(cache.iterdir())) == 1


def test_where_tables_are_kept(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDTOK_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    opened(clip)
    assert table_folder() is table_path(clip) is None
    assert not (tmp_path / "xdg").exists()
    monkeypatch.delenv("VIDTOK_CACHE")
    opened(clip)
    assert table_path(clip) in (tmp_path / "xdg" / "vidtok" / "tables").iterdir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert table_folder() == tmp_path / "home" / ".cache" / "vidtok" / "tables"


def test_a_cache_that_cannot_be_written_is_none(clip, cache, monkeypatch):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    expected = opened(clip)
    cache.unlink()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert same(opened(clip), expected)
    assert list(cache.iterdir()) == []


def test_what_killed_writers_left_is_removed_in_time(clip, cache):
    cache.mkdir(parents=True)
    old, new = cache / "a.1.aside", cache / "b.2.aside"
    for file in (old, new):
        file.write_text("half")
    os.utime(old, (time.time() - 4000,) * 2)
    expected = opened(clip)
    assert sorted(cache.iterdir()) == sorted([new, table_path(clip)])
    assert same(opened(clip), expected)


def _write_for_ever(path) -> None:
    state = file_state(path)
    with PacketReader(path) as video:
        stream, kept = video.stream.index, table_file.KeptTable(table=video.table, packets=video._known)
        while True:
            keep_table(path, state, kept, stream=stream)


def test_two_writers_one_killed_and_a_reader(clip, cache):
    opened(clip)
    state, context = file_state(clip), multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_for_ever, args=(clip,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for turn in range(60):
            found = read_table(clip, state, stream=0)
            assert found is not None
            assert len(found.table) == FRAMES
            if turn == 30:
                os.kill(writers[0].pid, signal.SIGKILL)
                writers[0].join()
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    assert read_table(clip, state, stream=0) is not None
    assert read_table(clip, state, stream=1) is None


def test_containers_without_an_index_are_read_as_before(made, cache, tmp_path):
    other = remux(made["mp4"], tmp_path / "a.ts")
    first = opened(other)
    assert not cache.exists()
    assert same(opened(other), first)


def test_streams_that_are_not_held_in_memory_are_jumped_in_at_once(clip, monkeypatch):
    monkeypatch.setenv("VIDTOK_CACHE", "off")
    expected = opened(clip)
    monkeypatch.setattr(packets, "KEPT_BYTES", 100)
    with PyAVReader(clip) as video:
        read = demuxed(monkeypatch)
        assert read_numbers(video.frames_at([55]).pixels) == [55]
    assert len(read) <= 16
    assert same(opened(clip), expected)


def test_times_before_zero_and_edit_lists(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=FRAMES, fps=Fraction(25), options=GROUPS["open groups"])
    moved = remux(clip, tmp_path / "b.mp4", shift=-2000, use_editlist="1")
    first = opened(moved, [5, 40])
    assert same(opened(moved, [5, 40]), first)

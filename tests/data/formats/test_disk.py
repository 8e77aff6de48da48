"""Finding videos and frame folders by their ids."""

from pathlib import Path

from vidtok.data.formats.disk import MediaFinder, OnDisk, is_on_disk, name_on_disk, near_names
from vidtok.data.lists import read_list


def test_order_of_the_search(tmp_path):
    for name in ("a.mp4", "b.avi", "b.mkv", "Sub_One/a.webm", "Sub_One/c.mp4", "d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("a", "e", "sub_one"):
        (tmp_path / name).mkdir()
    finder = MediaFinder(tmp_path)
    assert finder.find(("a",)) == OnDisk(name="a.mp4", is_folder=False)
    assert finder.find(("b",)) == OnDisk(name="b.avi", is_folder=False)
    assert finder.find(("x", "e")) == OnDisk(name="e", is_folder=True)
    assert finder.find(("c", "a"), folders=("sub one", "")) == OnDisk(name="Sub_One/c.mp4", is_folder=False)
    assert finder.find(("c",), folders=("", "no such", "sub-one")) == OnDisk(name="Sub_One/c.mp4", is_folder=False)
    for missing in ("d", "A", "c"):
        assert finder.find((missing,)) is None
    assert MediaFinder(tmp_path / "gone").find(("a",), folders=("", "sub")) is None


def test_each_folder_is_listed_once(tmp_path):
    finder = MediaFinder(tmp_path)
    assert finder.find(("a",)) is None
    (tmp_path / "a.mp4").touch()
    assert finder.find(("a",)) is None


def test_on_disk(tmp_path):
    (tmp_path / "a*b.mp4").touch()
    assert is_on_disk(tmp_path / "a*b.mp4")
    assert is_on_disk(tmp_path)
    assert is_on_disk(tmp_path / "img_*.jpg")
    assert not is_on_disk(tmp_path / "gone" / "img_*.jpg")
    assert not is_on_disk(tmp_path / "img_1.jpg")


def test_files_under_nearly_the_same_name(tmp_path):
    for name in ("Sub/a.MP4", "Sub/caf\u00e9.mp4", "two/B.mp4", "two/b.MP4", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listings: dict[Path, list[str]] = {}
    for written, there in [
        ("Sub/a.mp4", "Sub/a.MP4"),
        ("sub\\a.mp4", "Sub/a.MP4"),
        ("Sub\\a.MP4", "Sub/a.MP4"),
        ("Sub/cafe\u0301.mp4", "Sub/caf\u00e9.mp4"),
        ("SUB/CAFE\u0301.mp4", "Sub/caf\u00e9.mp4"),
        ("two/B.mp4", None),  # which is there as it is written
        ("two/b.mp4", None),  # may be either
        ("Sub/x.mp4", None),
        ("a.txt/x.mp4", None),
        ("gone/a.mp4", None),
    ]:
        found = name_on_disk(tmp_path / written, listings=listings)
        assert found == (None if there is None else tmp_path / there), written
    (tmp_path / "Sub" / "new.MP4").touch()
    assert name_on_disk(tmp_path / "Sub" / "new.mp4", listings=listings) is None, "a folder is listed once"
    assert name_on_disk(Path("memory://shards/a.tar/x.mp4"), listings={}) is None


def test_near_names_are_looked_for_where_the_first_twenty_have_one(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "else").mkdir()
    for number in (0, 19, 20, 21):
        (tmp_path / "videos" / f"{number}.MP4").touch()
    (tmp_path / "else" / "0.MP4").touch()

    def near(*names):
        (tmp_path / "list.txt").write_text("".join(f"{name} 0\n" for name in names))
        records = read_list(tmp_path / "list.txt", root=tmp_path / "videos")
        return near_names(records, range(len(records)))

    gone = [f"gone{number}.mp4" for number in range(19)]
    assert near(*gone, "19.mp4", "20.mp4", "21.mp4") == {19: "19.MP4", 20: "20.MP4", 21: "21.MP4"}
    assert near(*gone, "gone.mp4", "20.mp4") == {}
    assert near("0.mp4", f"{tmp_path}/else/0.mp4") == {0: "0.MP4", 1: f"{tmp_path}/else/0.MP4"}


def test_nobody_asks_a_server_for_every_file():
    assert is_on_disk(Path("memory://bucket/a.mp4"))

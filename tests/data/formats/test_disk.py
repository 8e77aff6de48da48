"""Finding videos and frame folders by their ids."""

from vidtok.data.formats.disk import MediaFinder, OnDisk, is_on_disk


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

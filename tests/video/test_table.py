import numpy as np
import pytest

from vidtok.video.table import (
    FrameTable,
    KnownPackets,
    PacketList,
    counted_ticks,
    decoded_ticks,
    entries,
    trusted_ticks,
)


def packets(
    kinds: str, pts: list[int | None], *, dts: list[int | None] | None = None, **flags: list[bool]
) -> PacketList:
    """`kinds` has a letter per packet: I for a keyframe, P or B otherwise."""
    none = [False] * len(pts)
    return PacketList(
        pts=pts,
        dts=dts or [None] * len(pts),
        keyframe=[k == "I" for k in kinds],
        discard=flags.get("discard", none),
        corrupt=flags.get("corrupt", none),
    )


WHOLE = ("IPBBIBBP", [0, 3, 1, 2, 6, 4, 5, 7])


def test_the_picture_in_the_docstring():
    ticks = trusted_ticks(packets(*WHOLE))
    assert ticks is not None
    assert ticks.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert entries(ticks, packets(*WHOLE)).tolist() == [0, 0, 0, 0, 0, 0, 4, 4]


def test_discarded_packets_are_not_shown():
    ticks = trusted_ticks(packets(*WHOLE, discard=[True, False, True, True, False, False, False, False]))
    assert ticks is not None
    assert ticks.tolist() == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "doubtful",
    [
        packets("IPPPPPP", [0, 1, 2, 3, 4, 5, 6]),
        packets("IPPPPPPP", [0, 1, None, 3, 4, 5, 6, 7]),
        packets("IPPPPPPP", [0, 1, 2, 2, 4, 5, 6, 7]),
        packets("IPPPPPPP", list(range(8)), corrupt=[False] * 7 + [True]),
        packets("IPPPPPPP", list(range(8)), discard=[True] * 8),
        packets("PPIPPPPP", list(range(8))),
        packets("IBBPPPPP", [2, 0, 1, 3, 4, 5, 6, 7]),
        packets("IPPPIPPP", [4, 5, 6, 7, 0, 1, 2, 3]),
        packets("IPPPIPPP", [1, 2, 3, 4, 5, 0, 6, 7]),
        packets("IPPPIPPP", [0, 1, 2, 3, 0, 5, 6, 7], discard=[True] + [False] * 7),
    ],
    ids=[
        "few",
        "no time",
        "twice",
        "corrupt",
        "all cut",
        "begins late",
        "shown before the keyframe",
        "back in time",
        "shown before the first",
        "a keyframe twice",
    ],
)
def test_doubtful_packets_are_not_trusted(doubtful):
    assert trusted_ticks(doubtful) is None


def test_entries_without_usable_keyframes_are_the_first_packet():
    ticks = np.arange(8)
    assert entries(ticks, packets("PPPPPPPP", list(range(8)))).tolist() == [0] * 8
    assert entries(ticks, packets("IPPPIPPP", [4, 5, 6, 7, 0, 1, 2, 3])).tolist() == [0] * 8


def test_a_clock_that_counts_packets():
    rising = packets("IPPPPPPP", [None] * 8, dts=[0, 1, 2, 4, 5, 6, 7, 8])
    ticks = counted_ticks(rising)
    assert ticks is not None
    assert ticks.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    for dts in ([0, 1, 2, 2, 5, 6, 7, 8], [0, 1, None, 4, 5, 6, 7, 8]):
        assert counted_ticks(packets("IPPPPPPP", [None] * 8, dts=dts)) is None
    assert counted_ticks(packets("PPPPPPPP", [None] * 8, dts=list(range(8)))) is None


def test_decoded_frames_keep_their_own_rising_times():
    ticks, own = decoded_ticks([5, 7, 8], packets("IPP", [0, 1, 2], dts=[0, 1, 2]), step=1)
    assert ticks.tolist() == [5, 7, 8]
    assert own


def test_made_up_times_give_way_to_the_clock_of_decoding():
    """AVI: a tick per packet, a gap where the camera dropped a frame, and one packet that gives no frame."""
    ticks, own = decoded_ticks([1, 3, 2], packets("IPPP", [1, 2, 3, 5], dts=[0, 1, 2, 4]), step=1)
    assert ticks.tolist() == [0, 1, 2]
    assert not own


def test_a_clock_that_jumps_back_or_is_silent_goes_on_by_one_step():
    back = packets("IPIP", [10, 20, 10, 25], dts=[8, 9, 8, 9])
    ticks, own = decoded_ticks([10, 20, 10, 25], back, step=7)
    assert ticks.tolist() == [10, 20, 27, 42]
    assert not own
    assert decoded_ticks([], packets("", []), step=7)[0].tolist() == []
    silent = packets("IPP", [None] * 3)
    assert decoded_ticks([None] * 3, silent, step=4)[0].tolist() == [0, 4, 8]
    two_in_a_packet = packets("IP", [None] * 2, dts=[0, 1])
    assert decoded_ticks([None] * 3, two_in_a_packet, step=4)[0].tolist() == [0, 4, 8]


def test_the_frame_that_is_shown_at_a_tick():
    table = FrameTable(ticks=np.array([2, 5, 9]), entry=np.zeros(3, np.int64), by_order=False)
    assert [table.index_of(tick) for tick in (2, 5, 9)] == [0, 1, 2]
    assert [table.index_of(tick) for tick in (1, 3, 10, None)] == [-1] * 4


def test_a_packet_is_known_by_all_that_is_told_of_it():
    known = KnownPackets(
        pts=np.array([0, 4, 2]), size=np.array([9, 3, 2], np.uint32), flags=np.array([1, 0, 2], np.uint8)
    )
    assert [known.number_of(pts) for pts in (0, 4, 2, 3, None)] == [0, 1, 2, None, None]
    right = {"pts": 2, "size": 2, "keyframe": False, "discard": True}
    assert known.fits(2, **right)
    for wrong in ({"pts": 3}, {"size": 3}, {"keyframe": True}, {"discard": False}):
        assert not known.fits(2, **right | wrong)
    assert not known.fits(3, **right)
    assert known.fits(0, pts=0, size=9, keyframe=True, discard=False)

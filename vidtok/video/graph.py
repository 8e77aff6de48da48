"""A chain of FFmpeg's filters, for frames of one kind."""

from fractions import Fraction

import av
from av.filter import Graph


def kind(frame: av.VideoFrame) -> tuple[int, int, str, int, int]:
    """What a filter graph is made for: frames that differ in it need graphs of their own."""
    return frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range)


class FilterChain:
    """`filters` one behind the other, each a name and its options, for frames of the kind of `frame`. One thread."""

    def __init__(self, frame: av.VideoFrame, *filters: tuple[str, dict[str, str]]):
        x, y, pixel_format, colorspace, color_range = kind(frame)
        self._graph = Graph()
        self._graph.threads = 1
        self._source = self._graph.add(
            "buffer",
            video_size=f"{x}x{y}",
            pix_fmt=pixel_format,
            time_base=str(frame.time_base or Fraction(1, 1000)),
            colorspace=str(colorspace),
            range=str(color_range),
        )
        between = [self._graph.add(name, **options) for name, options in filters]
        self._sink = self._graph.add("buffersink")
        self._graph.link_nodes(self._source, *between, self._sink).configure()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._source.push(frame)
        filtered = self._sink.pull()
        assert isinstance(filtered, av.VideoFrame)
        return filtered


class WholePictures:
    """Frames of two fields as one picture: scaled as a whole, with its colours shared by both fields.

    Otherwise swscale treats the fields apart, by which a scaled picture differs by 14 grey levels from the same picture
    scaled as RGB, and from what other decoders give.
    """

    def __init__(self) -> None:
        self._chains: dict[object, FilterChain] = {}

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if not frame.interlaced_frame:
            return frame
        if kind(frame) not in self._chains:
            self._chains[kind(frame)] = FilterChain(frame, ("setfield", {"mode": "prog"}))
        return self._chains[kind(frame)](frame)

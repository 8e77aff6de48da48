"""Where the pictures that the network sees lie in the video's: whole ones, and the crops of testing by each rule.

How a picture of another shape than the network's becomes one of it (`fit`):

    crop      a part of it is seen: nothing is bent, the rest is not there
    pad       all of it is seen, with black bars beside it or above and below: nothing is bent
    squeeze   all of it is seen, and it is bent to the shape
"""

from collections.abc import Sequence

from vidtok.choices import Fit, Sampling
from vidtok.types import Box
from vidtok.video.rgb import scaled_size

Size = int | tuple[int, int]
"""Rows and columns in pixels, or one number for both."""
CROPS = (1, 3, 10)


def rows_columns(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def size_words(size: Size) -> str:
    rows, columns = rows_columns(size)
    return f"{rows} x {columns}"


def whole_box(height: int, width: int, *, size: Size, fit: Fit) -> Box:
    """The box that shows all of a picture: itself, or with `pad` the smallest one around it that has `size`'s shape.

    The latter reaches beyond the picture by as much on both sides, or by one pixel more behind it.
    """
    rows, columns = rows_columns(size)
    if fit == "squeeze":
        return Box(top=0, left=0, height=height, width=width)
    if fit == "crop":
        raise ValueError("fit=crop shows a part of a picture: a box for all of it needs pad or squeeze")
    tall, wide = max(height, round(width * rows / columns)), max(width, round(height * columns / rows))
    return Box(top=-((tall - height) // 2), left=-((wide - width) // 2), height=tall, width=wide)


def covering_side(picture: tuple[int, int], *, size: Size, short_side: int) -> int:
    """To how many pixels the shorter side is scaled, so that the picture covers `size` times short_side / min(size).

    For a square, `short_side` itself: all pictures, wide and upright, are scaled to it. For another shape, as much as
    the picture needs so that the crop fits.
    """
    rows, columns = rows_columns(size)
    height, width = picture
    if rows == columns:
        return short_side
    short, least = min(height, width), min(rows, columns)
    side = max(-(-rows * short_side * short // (least * height)), -(-columns * short_side * short // (least * width)))
    while any(have < need for have, need in zip(scaled_size(picture, side), (rows, columns), strict=True)):
        side += 1  # the longer side is rounded down
    return side


def crop_boxes(height: int, width: int, *, size: Size, crops: int, rule: Sampling = "vidtok") -> list[Box]:
    """The boxes of `crops` testing crops in a picture that has been scaled.

        1    the centre
        3    from end to end of the side with more pixels to spare: left, centre, right, or top, centre, bottom
        10   the four corners and the centre, then the same mirrored (TenCrop)

    Spare pixels that a half or a quarter does not divide, with `s` of them on a side:

        rule                        centre        end          of ten: corners    centre
        vidtok, torchcodec,
        segments                    s // 2        s            s                  s // 2
        pyslowfast, pytorchvideo    ceil(s / 2)   s            s                  ceil(s / 2)
        scenic                      ceil(s / 2), for a single crop s // 2; end s; of ten as vidtok, it has none
        mmaction2                   s // 2        2 (s // 2)   4 (s // 4)         2 (s // 4)

    mmaction2's own three crops exist only where the shorter side is the crop's. The order of its ten is another one,
    which no mean or maximum over views can tell. Raises ValueError where the crop does not fit, or `crops` is none of
    these numbers.
    """
    rows, columns = rows_columns(size)
    if height < rows or width < columns:
        raise ValueError(f"a crop of {rows} x {columns} does not fit into a picture of {height} x {width}")
    if crops not in CROPS:
        raise ValueError(f"crops are 1, 3 or 10, got {crops}")
    spare_y, spare_x = height - rows, width - columns
    up = rule in ("pyslowfast", "pytorchvideo", "pytorchvideo_uniform") or (rule == "scenic" and crops == 3)
    quarters = 4 if crops == 10 else 2
    step = quarters if rule == "mmaction2" else 1

    def centre(spare: int) -> int:
        if rule == "mmaction2":
            return spare // quarters * (quarters // 2)
        return -(-spare // 2) if up else spare // 2

    def box(top: int, left: int, *, flip: bool = False) -> Box:
        return Box(top=top, left=left, height=rows, width=columns, flip=flip)

    middle_y, middle_x = centre(spare_y), centre(spare_x)
    end_y, end_x = spare_y // step * step, spare_x // step * step
    if crops == 1:
        return [box(middle_y, middle_x)]
    if crops == 3:
        if along_x(height, width, size=size):
            return [box(middle_y, left) for left in (0, middle_x, end_x)]
        return [box(top, middle_x) for top in (0, middle_y, end_y)]
    places = [(0, 0), (0, end_x), (end_y, 0), (end_y, end_x), (middle_y, middle_x)]
    return [box(*place, flip=flip) for flip in (False, True) for place in places]


def along_x(height: int, width: int, *, size: Size) -> bool:
    """Whether three crops go from left to right: where columns are left over at least as many as rows."""
    rows, columns = rows_columns(size)
    return width - columns >= height - rows


def crop_names(crops: int, *, height: int, width: int, size: Size) -> Sequence[str]:
    """What the boxes of `crop_boxes` are called."""
    if crops == 1:
        return ("centre",)
    if crops == 3:
        return ("left", "centre", "right") if along_x(height, width, size=size) else ("top", "centre", "bottom")
    corners = ("upper left", "upper right", "lower left", "lower right", "centre")
    return (*corners, *(f"{name}, mirrored" for name in corners))

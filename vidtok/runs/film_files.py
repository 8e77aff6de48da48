"""Attention films as files: .mp4 and .gif play, .png has a few frames beside each other, .npz the raw maps."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import rearrange
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vidtok.data.views import TestViews
from vidtok.errors import ConfigError
from vidtok.infer.film import Film, each_picture, notes_of
from vidtok.video.gif import palette_for, write_gif
from vidtok.video.reader import VideoReader
from vidtok.video.sound import Sound
from vidtok.video.write import write_video
from vidtok.viz.overlay import Cell, Mosaic, heat_colours, with_top

ENDINGS = (".mp4", ".gif", ".png", ".npz")
SHEET_FRAMES, SHEET_COLOURS = 6, 256
"""Of a sheet; its colours are few, so that it is small."""
MOST_GIF_FRAMES = 500
VIDEO_SIZE, SHEET_SIZE = 224, 128
ROOM = 120
"""Pixels of a panel over which a title has room for its highest value."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A film and what it is called where several stand below each other; None where there is one."""

    film: Film
    title: str | None = None


def write_film(
    path: Path,
    rows: Sequence[Row],
    reader: VideoReader,
    views: TestViews,
    *,
    heading: str,
    panel_size: int | None = None,
    said: Callable[[float], None] = lambda share: None,
) -> str:
    """Write films of the same frames by the ending of `path`; what was written, in words.

    Several films (of checkpoints) stand in rows of their own. `said` is told how far what plays is, 0 to 1. Raises
    ConfigError for a GIF of more frames than pages can bear, DecodeError where the video cannot be decoded again.
    """
    ending, film = path.suffix.lower(), rows[0].film
    if ending == ".npz":
        return write_maps(path, rows)
    if ending == ".png":
        return write_sheet(path, rows, reader, views, heading=heading, panel_size=panel_size or SHEET_SIZE)
    if ending == ".gif" and len(film) > MOST_GIF_FRAMES:
        raise ConfigError(
            f"out: {path}: {len(film)} frames are too many for a GIF; {path.with_suffix('.mp4')} would do"
        )
    mosaic = mosaic_of(rows, views, heading=heading, panel_size=panel_size or VIDEO_SIZE)
    frames = told(draw_frames(mosaic, rows, reader, views), len(film), said)
    if ending == ".gif":
        write_gif(path, frames, fps=film.fps, also=heat_colours())
    else:
        start = float(reader.pts_seconds[int(film.drawn[0])])
        sound = Sound(reader.path, start_seconds=start, end_seconds=start + len(film) / film.fps)
        write_video(path, frames, fps=film.fps, sound=sound)
    columns, lines = mosaic.size
    return f"{path}: {len(film)} frames of {columns} x {lines} at {film.fps:.4g} per second"


def mosaic_of(rows: Sequence[Row], views: TestViews, *, heading: str, panel_size: int) -> Mosaic:
    """The picture and the panels of each film; of several, each in a row of its own."""
    titles, tops = [], []
    for row in rows:
        film = row.film
        titles.append(row.title or "picture")
        tops.append(0.0)
        for index in film.drawn_panels:
            panel, top = film.panels[index], film.tops[index]
            titles.append(panel.title if panel.maps is None or panel_size < ROOM else with_top(panel.title, top))
            tops.append(top)
    size = views.size if isinstance(views.size, tuple) else (views.size, views.size)
    return Mosaic(
        picture=size,
        titles=titles,
        tops=tops,
        heading=heading,
        guesses=len(rows[-1].film.guesses[0]),
        notes=notes_of(rows[-1].film.panels),
        strips=[strip for row in rows for strip in row.film.strips()],
        columns=len(titles) // len(rows) if len(rows) > 1 else None,
        panel_size=panel_size,
    )


def draw_frames(
    mosaic: Mosaic, rows: Sequence[Row], reader: VideoReader, views: TestViews
) -> Iterator[UInt8[Tensor, "3 rows columns"]]:
    """The frames one after the other; classes are those of the last film."""
    film = rows[-1].film
    for number, picture in enumerate(each_picture(reader, views, film.drawn.tolist())):
        cells = [cell for row in rows for cell in (Cell(), *row.film.cells(number))]
        guesses = film.guesses[int(film.windows[number])]
        yield mosaic.draw(picture, cells, corner=corner_of(film, number), guesses=guesses, at=film.at(number))


def told(frames: Iterator[Tensor], count: int, said: Callable[[float], None]) -> Iterator[Tensor]:
    """The same frames; `said` hears which share of them has been taken."""
    for number, frame in enumerate(frames):
        yield frame
        said((number + 1) / count)


def corner_of(film: Film, number: int) -> str:
    """Which frame it is."""
    return f"frame {number + 1} of {len(film)}"


def write_sheet(
    path: Path, rows: Sequence[Row], reader: VideoReader, views: TestViews, *, heading: str, panel_size: int
) -> str:
    """A few frames beside each other, evenly spaced: a line of pictures, and one for each panel; see `write_rows`."""
    if len(rows) > 1:
        return write_rows(path, rows, reader, views, heading=heading, panel_size=panel_size)
    film = rows[-1].film
    count = min(SHEET_FRAMES, len(film))
    chosen = [(2 * place + 1) * len(film) // (2 * count) for place in range(count)]
    drawn = [int(film.drawn[number]) for number in chosen]
    pictures = list(each_picture(reader, views, drawn))
    titles = [f"frame {number + 1}" for number in chosen]
    tops = [0.0] * count
    cells = [Cell(picture=picture) for picture in pictures]
    for row in rows:
        columns = [row.film.cells(number) for number in chosen]
        for place, index in enumerate(row.film.drawn_panels):
            panel, top = row.film.panels[index], row.film.tops[index]
            titles += [panel.title, "", "" if panel.maps is None else f"max {top:.2g}", *[""] * count][:count]
            tops += [top] * count
            cells += [
                Cell(picture=picture, heat=each.heat, regions=each.regions, ring=each.ring)
                for picture, each in zip(pictures, [column[place] for column in columns], strict=True)
            ]
    mosaic = Mosaic(
        picture=(pictures[0].shape[1], pictures[0].shape[2]),
        titles=titles,
        tops=tops,
        heading=heading,
        guesses=len(film.guesses[0]),
        notes=notes_of(film.panels),
        strips=[strip for row in rows for strip in row.film.strips()],
        columns=count,
        panel_size=panel_size,
    )
    guesses = film.guesses[int(film.windows[chosen[count // 2]])]
    sheet = mosaic.draw(pictures[0], cells, corner=f"{len(film)} frames", guesses=guesses)
    save_sheet(path, sheet)
    return f"{path}: {count} of {len(film)} frames, {mosaic.size[0]} x {mosaic.size[1]}"


def write_rows(
    path: Path, rows: Sequence[Row], reader: VideoReader, views: TestViews, *, heading: str, panel_size: int
) -> str:
    """The frame in the middle, with a line for each film: what changes from one to the next stands below each other."""
    mosaic = mosaic_of(rows, views, heading=heading, panel_size=panel_size)
    film = rows[-1].film
    number = len(film) // 2
    (picture,) = each_picture(reader, views, [int(film.drawn[number])])
    cells = [cell for row in rows for cell in (Cell(), *row.film.cells(number))]
    guesses = film.guesses[int(film.windows[number])]
    save_sheet(path, mosaic.draw(picture, cells, corner=corner_of(film, number), guesses=guesses, at=film.at(number)))
    return f"{path}: frame {number + 1} of {len(film)}, {mosaic.size[0]} x {mosaic.size[1]}"


def save_sheet(path: Path, sheet: UInt8[Tensor, "3 rows columns"]) -> None:
    """A PNG, whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        image = Image.fromarray(rearrange(sheet, "c y x -> y x c").contiguous().numpy())
        palette = palette_for(image, heat_colours(), colours=SHEET_COLOURS)
        image.quantize(palette=palette, dither=Image.Dither.NONE).save(aside, format="png", optimize=True)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_maps(path: Path, rows: Sequence[Row]) -> str:
    """The raw maps, window by window, so that memory does not grow with the video.

    `map_0`, … (windows, t, h, w) as float32; `regions_0`, … as int32; `strip_0`, … (windows, t); `frames` and `seconds`
    (windows, f): what the network saw. `words`: JSON, for each panel its title, place, query and meaning.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    names: list[dict[str, str]] = []
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
            number = 0
            for row in rows:
                film = row.film
                for index, panel in enumerate(film.panels):
                    forms = (
                        ("map" if panel.over_time is None else "strip", 2 * index),
                        ("regions", 2 * index + 1),
                    )
                    for form, slot in forms:
                        if film.tape.read(0, slot).size:
                            _add(archive, f"{form}_{number}", film, slot)
                    said = {"title": panel.title, "place": panel.place, "query": panel.query, "meaning": panel.meaning}
                    names.append(said if row.title is None else {"row": row.title, **said})
                    number += 1
            film = rows[-1].film
            words = np.array(json.dumps({"panels": names, "fps": film.fps}, ensure_ascii=False))
            for name, array in (("frames", film.indices.numpy()), ("seconds", film.seconds), ("words", words)):
                with archive.open(f"{name}.npy", "w") as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return f"{path}: {number} panels, {rows[0].film.tape.length} windows"


def _add(archive: zipfile.ZipFile, name: str, film: Film, slot: int) -> None:
    first = film.tape.read(0, slot)
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        form = {"descr": first.dtype.str, "fortran_order": False, "shape": (film.tape.length, *first.shape)}
        np.lib.format.write_array_header_1_0(file, form)
        for window in range(film.tape.length):
            file.write(film.tape.read(window, slot).tobytes())

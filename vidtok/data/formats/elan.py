"""ELAN's .eaf files: the annotations of a tier are parts of a video."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vidtok.data.formats.segments import Result, Segments, name_below
from vidtok.errors import DataError
from vidtok.text.xml import Element, read_xml
from vidtok.video.endings import is_video_name


def read_elan(path: Path, *, root: Path, classes: Sequence[str] | None = None, label: str | None = None) -> Result:
    """An ELAN annotation document (EAF, 2.x and 3.0), or a folder of them, one for each video.

    The records are the annotations that have a time (`ALIGNABLE_ANNOTATION`) of the tier `label`, which needs no name
    where only one tier has any. Those that hang on others (`REF_ANNOTATION`) have no time of their own. Annotations
    without text are left out, and a note counts them.
    """
    segments = Segments(path, root=root, classes=classes, form="elan")
    empty = 0
    for file in sorted(path.glob("*.eaf")) if path.is_dir() else [path]:
        top = read_xml(file)
        if not is_elan(top):
            raise DataError(f"{file}:{top.line}: <{top.tag}> is no document of ELAN, which is an ANNOTATION_DOCUMENT")
        name, origin = _video(top, root, file)
        slots = {
            slot.attributes.get("TIME_SLOT_ID", ""): slot.attributes.get("TIME_VALUE")
            for slot in top.all("TIME_ORDER", "TIME_SLOT")
        }
        for annotation in _tier(top, label, file).all("ANNOTATION", "ALIGNABLE_ANNOTATION"):
            place, word = f"{file}:{annotation.line}", annotation.text_of("ANNOTATION_VALUE")
            if not word:
                empty += 1
                continue
            start, end = (
                _seconds(slots, annotation.attributes.get(f"TIME_SLOT_REF{which}", ""), place) + origin
                for which in (1, 2)
            )
            segments.add(name, [word], place=place, start=start, end=end)
    if empty:
        segments.notes.append(f"{empty} annotations without text are left out")
    return segments.result()


def is_elan(top: Element) -> bool:
    return top.tag == "ANNOTATION_DOCUMENT"


def _tier(top: Element, label: str | None, file: Path) -> Element:
    tiers = {
        tier.attributes.get("TIER_ID", ""): tier
        for tier in top.all("TIER")
        if any(tier.all("ANNOTATION", "ALIGNABLE_ANNOTATION"))
    }
    if label is None and len(tiers) > 1:
        raise DataError(f"{file}: which tier has the labels: {', '.join(tiers)}? Say it with `label`")
    wanted = label if label is not None else next(iter(tiers), None)
    if wanted is None or wanted not in tiers:
        words = f"no tier {label!r} with annotations that have a time" if label else "no annotation that has a time"
        raise DataError(f"{file}: {words}; tiers that have some: {', '.join(tiers) or 'none'}")
    return tiers[wanted]


def _seconds(slots: dict[str, str | None], slot: str, place: str) -> float:
    value = slots.get(slot)
    if value is None or not value.lstrip("-").isdecimal():
        raise DataError(f"{place}: time slot {slot!r} has no TIME_VALUE; give the annotation a time in ELAN")
    return int(value) / 1000


def _video(top: Element, root: Path, file: Path) -> tuple[str, float]:
    """The video's name, and at how many seconds of it the annotations' clock begins."""
    for header in top.all("HEADER"):
        if (units := header.attributes.get("TIME_UNITS", "milliseconds")) != "milliseconds":
            raise DataError(f"{file}:{header.line}: TIME_UNITS are milliseconds, not {units!r}")
    media = list(top.all("HEADER", "MEDIA_DESCRIPTOR"))
    videos = [
        each
        for each in media
        if each.attributes.get("MIME_TYPE", "").startswith("video/") or is_video_name(_names(each)[-1])
    ]
    if len(videos) != 1:
        listed = ", ".join(_names(each)[-1] for each in videos or media) or "none"
        raise DataError(f"{file}: {len(videos)} videos are linked ({listed}); link the one that is meant, and no other")
    origin = videos[0].attributes.get("TIME_ORIGIN", "0")
    if not origin.lstrip("-").isdecimal():
        raise DataError(f"{file}:{videos[0].line}: TIME_ORIGIN is a number of milliseconds, not {origin!r}")
    return name_below(root, _names(videos[0])), int(origin) / 1000


def _names(media: Element) -> list[str]:
    """Relative to the document, then as on the machine on which it was made."""
    urls = [media.attributes.get(key, "") for key in ("RELATIVE_MEDIA_URL", "MEDIA_URL")]
    return [unquote(urlsplit(url).path) for url in urls if url] or ["?"]

"""Endings of the names of video files, by which lists and folders tell a video from what lies beside it."""

from pathlib import PurePath

from vidtok.video.frames import PICTURE_SUFFIXES

VIDEO_SUFFIXES = (
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m1v", ".m2ts", ".m2v", ".m4v"),
    *(".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt"),
    *(".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
)
MEDIA_SUFFIXES = (*VIDEO_SUFFIXES, *sorted(PICTURE_SUFFIXES))
MEDIA_ENDING = rf"\.(?:{'|'.join(suffix[1:] for suffix in MEDIA_SUFFIXES)})"
"""A regular expression; in any case of the letters."""
HIDDEN = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__"}
"""Folders that systems leave beside the files, in small letters."""


def is_video_name(name: str | PurePath) -> bool:
    """Whether a file of this name is a video, as its ending says."""
    return PurePath(name).suffix.lower() in VIDEO_SUFFIXES


def is_media_name(name: str | PurePath) -> bool:
    """Whether a file of this name is a video or a picture."""
    return PurePath(name).suffix.lower() in MEDIA_SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: hidden ones, and what systems leave beside the files."""
    return name.startswith(".") or name.lower() in HIDDEN

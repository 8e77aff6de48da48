"""Errors that a user can mend: the command-line tools print them without a traceback."""


class VidtokError(Exception):
    """Something that the user can put right; the message says what was wrong, where, and what would be right."""


class ConfigError(VidtokError):
    """A configuration that cannot be used: unknown keys, wrong types, values that do not fit each other."""


class DataError(VidtokError):
    """A list file, a class file or a folder of videos that cannot be used."""


class DecodeError(VidtokError):
    """A video that cannot be decoded; the message names the file and the cause."""


class ModelError(VidtokError, ValueError):
    """Sizes or options with which a network cannot be built."""


class CheckpointError(VidtokError):
    """A checkpoint or weight file that is missing, damaged, or made for something else."""


class TrainingError(VidtokError):
    """A run that cannot go on: a loss that is not finite, too many videos that cannot be decoded."""


class NotFiniteError(TrainingError):
    """A loss, or weights, with an infinity or a NaN."""

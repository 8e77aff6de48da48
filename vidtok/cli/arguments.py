"""The arguments that several commands share."""

import argparse

OVERRIDES_HELP = "change a key of the config, such as train.lr=1e-3 (any number of them)"


def parser(description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def add_overrides(to: argparse.ArgumentParser) -> None:
    to.add_argument("overrides", nargs="*", metavar="key.sub=value", help=OVERRIDES_HELP)

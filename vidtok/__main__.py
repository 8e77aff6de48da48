"""python -m vidtok <command> …"""

from vidtok.cli.console import main

if __name__ == "__main__":
    main()

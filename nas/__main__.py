"""``python -m nas``: the command line, where no script is installed."""

from nas.cli import main

if __name__ == "__main__":
    main()

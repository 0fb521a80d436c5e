"""``python -m nas.cli``, where no script is installed."""

from nas.cli import main

main()

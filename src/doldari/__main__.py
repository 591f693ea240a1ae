"""`python -m doldari` is `doldari`."""

from doldari.cli import main

main()

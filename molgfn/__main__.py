"""Run the command line with ``python -m molgfn``."""

from molgfn.cli.app import main

if __name__ == "__main__":
    main()

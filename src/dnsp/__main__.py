"""`python -m dnsp`: the command line where no `dnsp` script is on the path."""

from dnsp.cli.main import main

if __name__ == "__main__":
    main()

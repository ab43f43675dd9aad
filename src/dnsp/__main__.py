"""The command `dnsp`, also `python -m dnsp`: from the first moment on, Ctrl-C and its like end it in one line."""

from dnsp.cli.stopping import stop_on_signals

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    stop_on_signals()
    from dnsp.cli.main import main as run

    run()


if __name__ == "__main__":
    main()

"""The command ``bayescpt``, and ``python -m bayescpt``."""

from bayescpt.interruption import interruptible


def main() -> None:
    """Run the command line; Ctrl-C is one line even while the package is being imported."""
    with interruptible(last=True):
        from bayescpt.cli import main as run

        run()


if __name__ == "__main__":
    main()

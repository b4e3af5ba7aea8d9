"""``python -m pipelines`` is ``thresher``: quietens the libraries, then hands over to the command line."""

from __future__ import annotations

import logging
import warnings


def main() -> None:
    """Run the command line. Beam warns about optional packages while it is imported, so this comes first."""
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning)
    from pipelines import cli

    cli.main()


if __name__ == "__main__":
    main()

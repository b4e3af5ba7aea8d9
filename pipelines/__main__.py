"""``python -m pipelines`` is ``thresher``."""

from pipelines.cli import main

if __name__ == "__main__":
    main()

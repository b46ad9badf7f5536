"""`python -m actorkalix` is the `actorkalix` command."""

import sys

from actorkalix.cli import main

if __name__ == "__main__":
    sys.exit(main())

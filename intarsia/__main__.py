"""`python -m intarsia`; with many processes: `torchrun --nproc-per-node N -m intarsia train DATA`."""

import sys

from intarsia.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

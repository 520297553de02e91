# SPDX-License-Identifier: Apache-2.0
"""``python -m pixview`` runs the command ``pixview``."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())

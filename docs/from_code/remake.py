"""Write the pages of the reference that are made from the code: `make reference`."""

from __future__ import annotations

from pathlib import Path

import commands
import params
import public

PAGES = {"commands.md": commands.page, "params.md": params.page, "python.md": public.page}
FOLDER = Path(__file__).parents[1] / "reference"

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")

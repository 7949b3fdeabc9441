"""Write the pages of the reference that are made from the code: `make reference`."""

from __future__ import annotations

from pathlib import Path

import command_page
import key_page
import public_page

PAGES = {"commands.md": command_page.page, "params.md": key_page.page, "python.md": public_page.page}
FOLDER = Path(__file__).parents[1] / "reference"

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")

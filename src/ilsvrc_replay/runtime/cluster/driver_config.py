"""What a cluster's nodes are held against, and get, of the driver's settings."""

from __future__ import annotations

import re
from pathlib import Path

from ilsvrc_replay.errors import StudyError

LOCK = Path("requirements.lock")


def packages() -> list[str]:
    """The names in requirements.lock."""
    text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    return re.findall(r"^([\w.-]+)==", text, re.MULTILINE)


def config() -> str:
    """The default remote as DVC sees it here, from whichever of its config files, as the text of another one; empty if
    there is none. A relative path is absolute in it, and a password that stands in a config file here is in it, too."""
    from configobj import ConfigObj
    from dvc.config import Config, ConfigError

    try:
        known = Config(".dvc")
    except ConfigError as error:
        raise StudyError(f".dvc/config cannot be read ({error})") from None
    name = known["core"].get("remote")
    if name not in known["remote"]:
        return ""
    file = ConfigObj()
    file["core"] = {"remote": name}
    file[f'remote "{name}"'] = known["remote"][name]
    return "\n".join(file.write())

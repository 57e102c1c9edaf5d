"""Who runs this process."""

from __future__ import annotations

import getpass
import os
import platform


def user_at_host() -> str:
    """``name@machine``; in a container the user may be a mere number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no passwd entry, nor a name in the environment
        name = f"uid{os.getuid()}"
    return f"{name}@{platform.node()}"

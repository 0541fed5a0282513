"""The files in which the tasks of one run tell each other what they know of hosts, one of a kind for a host.

They lie in a folder of this run alone, which goes with it.
"""

import shutil
from pathlib import Path
from urllib.parse import quote

APPLIED, FORESEEN, STARTED = "applied", "foreseen", "started"


def file_of(kind: str, host: str, folder: Path) -> Path:
    """Return the file about a host; it need not exist."""
    return folder / f"{kind}-{quote(host, safe='')}.json"


def copy_findings(folder: Path, target: Path) -> None:
    """Copy all that is known, with its times, for one who asks what would use it up."""
    for kind in (APPLIED, FORESEEN, STARTED):
        for file in folder.glob(f"{kind}-*"):
            shutil.copy2(file, target)

"""Writes on the controller that come too late.

Ansible does its work in forked processes. When the playbook is killed (SIGKILL, or the kernel's lack of
memory), they live on: one that waited for a lock, or computed, would write what nobody waits for any more,
perhaps over what the next run made.
"""

import multiprocessing
import os
from pathlib import Path

from flatnet.errors import FlatnetError


def refuse_late_write(path: Path) -> None:
    """Raise FlatnetError in a worker whose playbook has ended; to be called directly before the write.

    Who is no worker writes for itself.
    """
    parent = multiprocessing.parent_process()
    # A process whose parent ended is handed on: getppid(2). The sentinel of multiprocessing does not tell, as
    # workers that were forked later hold it open.
    if parent is not None and os.getppid() != parent.pid:
        raise FlatnetError(f"the run that {path} was to be written for has ended; run it again")

"""Loads the Jinja plugins in the process that every worker is forked from, instead of in every worker."""

from ansible.playbook.task import Task
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, lookup_loader, test_loader

DOCUMENTATION = """
name: plugins_loaded
type: aggregate
short_description: Workers that need not load Jinja plugins
description:
  - Ansible forks a worker for every task of every host. Each of them reads all files of filters and tests,
    because the process that forks them has no use for them itself.
  - This asks for one filter and one test there before each task. After the first time that costs nothing,
    until a role brings plugins of its own.
requirements:
  - Listed in C(callbacks_enabled).
"""
_LOOKUPS = ("env", "template")


class CallbackModule(CallbackBase):
    """Asks the loaders for something that is always there."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "plugins_loaded"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        """Load what is not loaded yet, before the first worker of the task is forked."""
        del task, is_conditional  # Ansible passes it by name.
        filter_loader.get("ansible.builtin.mandatory")
        test_loader.get("ansible.builtin.defined")
        # Lookups are loaded one by one; these are in the inputs of every task.
        for name in _LOOKUPS:
            lookup_loader.get(f"ansible.builtin.{name}")

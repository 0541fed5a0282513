"""Where a play finds roles."""

from pathlib import Path

from ansible.constants import config
from ansible.parsing.dataloader import DataLoader

OURS = Path(__file__).resolve().parents[2] / "roles"


def roles_paths(loader: DataLoader) -> list[Path]:
    """Return the directories in the play's order: beside the playbook, as configured, and flatnet's own."""
    configured = config.get_config_value("DEFAULT_ROLES_PATH")
    return list(dict.fromkeys([Path(loader.get_basedir()) / "roles", *map(Path, configured), OURS]))

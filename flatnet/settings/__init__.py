"""The settings of a cluster: what they are, how values are read, and which variables do nothing."""

from flatnet.settings.cluster import SECTIONS, SETTINGS, Settings, setting_of
from flatnet.settings.definition import Setting
from flatnet.settings.inventory import VariableFindings, check_variables
from flatnet.settings.reading import Fault, fault_lines, read_settings

__all__ = [
    "SECTIONS",
    "SETTINGS",
    "Fault",
    "Setting",
    "Settings",
    "VariableFindings",
    "check_variables",
    "fault_lines",
    "read_settings",
    "setting_of",
]

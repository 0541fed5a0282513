"""Unit files from plain data (systemd.syntax(7), systemd.service(5))."""

from collections.abc import Mapping, Sequence

Value = str | int | bool | Sequence[str] | Sequence[Sequence[str]]
Sections = Mapping[str, Mapping[str, Value]]

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%$")


def command_line(arguments: Sequence[str]) -> str:
    """Return one command for an Exec line, an argument per line, quoted so that systemd changes nothing.

    `%` starts a specifier and `$` a variable there, so both are doubled; an argument with any other
    unusual character is put in double quotes (systemd.service(5), "Command lines").
    """
    return " \\\n  ".join(_quote(str(argument)) for argument in arguments)


def unit_file(sections: Sections) -> str:
    """Return the text of a unit file from {section: {setting: value}}.

    A list is a command line where the setting begins with Exec, else the setting repeated once per entry.
    Booleans become yes and no. Order is kept: it has a meaning for repeated settings.
    """
    blocks = []
    for section, settings in sections.items():
        lines = [f"[{section}]"]
        for setting, value in settings.items():
            lines.extend(_lines(setting, value))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _lines(setting: str, value: Value) -> list[str]:
    if isinstance(value, bool):
        return [f"{setting}={'yes' if value else 'no'}"]
    if isinstance(value, str | int):
        return [f"{setting}={value}"]
    words = [entry for entry in value if isinstance(entry, str)]
    commands = [words] if words else [list(entry) for entry in value]
    if setting.startswith("Exec"):
        return [f"{setting}={command_line(command)}" for command in commands]
    return [f"{setting}={word}" for word in words]


def _quote(argument: str) -> str:
    escaped = argument.replace("%", "%%").replace("$", "$$")
    if argument and set(argument) <= _SAFE:
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

"""Reading files and running programs of the host, where what is not there is nothing."""

from __future__ import annotations

import os
import subprocess

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def read(path: str) -> str:
    """Return a small file, or nothing where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def run(arguments: list[str]) -> str:
    """Return what a program prints, or nothing where it fails or is not there."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": PATH, "LC_ALL": "C"},
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def names_in(folder: str) -> list[str]:
    """Return what is in a directory, sorted; nothing where it is not there."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []

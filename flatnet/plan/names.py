"""Names that Kubernetes takes, and lists of names that people can read."""

import re
from collections.abc import Iterable

# RFC 1123 labels, as Kubernetes wants node names: apimachinery, util/validation, IsDNS1123Subdomain.
_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_ONE_LABEL = re.compile(_LABEL, re.ASCII)
is_one_label = _ONE_LABEL.fullmatch
_DOMAIN_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_SAN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]{0,8}|0[0-9]{1,8})([^0-9]*)", re.ASCII | re.DOTALL)

# How many names or ranges of names a message lists.
LISTED = 20


def is_domain_name(text: str) -> bool:
    """Tell whether the text is a lower-case DNS name of at most 253 characters."""
    return bool(_ONE_LABEL.fullmatch(text)) or (len(text) <= 253 and bool(_DOMAIN_NAME.fullmatch(text)))


def is_san(text: str) -> bool:
    """Tell whether the text is a DNS name for a certificate; a first label `*` stands for any one label."""
    return len(text) <= 253 and bool(_SAN.fullmatch(text)) and not text.replace(".", "").isdigit()


def is_cluster_name(text: str) -> bool:
    """Tell whether the text can name a cluster in kubeconfigs and in flags."""
    return bool(_CLUSTER_NAME.fullmatch(text))


def fold_names(names: Iterable[str]) -> list[str]:
    """Return the names sorted, three or more consecutive ones as a range in the inventory's own notation.

    node-001 to node-120 become `node-[001:120]`, which is also a pattern for --limit.
    """
    numbered: dict[tuple[str, str, int], list[int]] = {}
    folded: list[str] = []
    for name in sorted(set(names)):
        match = _NUMBERED.fullmatch(name)
        if match:
            head, digits, tail = match.groups()
            numbered.setdefault((head, tail, len(digits)), []).append(int(digits))
        else:
            folded.append(name)
    for (head, tail, width), numbers in numbered.items():
        start = 0
        for index in range(1, len(numbers) + 1):
            if index < len(numbers) and numbers[index] == numbers[index - 1] + 1:
                continue
            first, last = f"{numbers[start]:0{width}}", f"{numbers[index - 1]:0{width}}"
            if index - start >= 3:
                folded.append(f"{head}[{first}:{last}]{tail}")
            else:
                folded += [f"{head}{number:0{width}}{tail}" for number in numbers[start:index]]
            start = index
    return sorted(folded)


def listed_names(names: Iterable[str], most: int = LISTED) -> str:
    """Return the folded names as a text; of more than `most` the first ones, and how many more there are."""
    folded = fold_names(names)
    rest = len(folded) - most
    return ", ".join(folded[:most]) + (f" and {rest} more" if rest > 0 else "")

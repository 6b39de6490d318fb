"""The page as text, and the content security policy under which it works."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import NamedTuple


class Page(NamedTuple):
    """The page, and the content security policy under which it works."""

    text: str
    policy: str


@cache
def page() -> Page:
    """page.html; the policy allows its own script and style, by their hashes, and nothing else."""
    text = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    allowed = "default-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    return Page(text, f"{allowed}; script-src {_hash(script)}; style-src {_hash(style)}")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

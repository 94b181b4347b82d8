"""Brings pages from outside `docs/` into the site, and turns links to other files of the repository into plain text."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
BROUGHT = {
    "deploy/README.md": "deploy/README.md",
    "config/README.md": "config/README.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages of the site by their paths in the repository."""
HOME = {"README.md": "index.md"}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    for path, page in BROUGHT.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    uri = page.file.src_uri
    written = next((path for path, brought in BROUGHT.items() if brought == uri), f"docs/{uri}")
    return LINK.sub(lambda found: _link(found[1], found[2], written, uri), markdown)


def _link(text: str, target: str, written: str, uri: str) -> str:
    if "://" in target or target.startswith(("#", "mailto:")):
        return f"[{text}]({target})"
    path, _, anchor = target.partition("#")
    place = _normal(PurePosixPath(written).parent / path)
    page = BROUGHT.get(place) or HOME.get(place) or (place.removeprefix("docs/") if _is_page(place) else None)
    if page is None:
        return f"{text} (`{place}`)" if place not in text else text
    up = "../" * (len(PurePosixPath(uri).parts) - 1)
    fragment = f"#{anchor}" if anchor and page not in HOME.values() else ""
    return f"[{text}]({up}{page}{fragment})"


def _is_page(place: str) -> bool:
    return place.startswith("docs/") and place.endswith((".md", ".svg"))


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                raise ValueError(f"{path} leads out of the repository")
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)

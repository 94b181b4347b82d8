"""Writes config/README.md:  python -m tests.reference."""

from tests.reference.page import PATH, page

PATH.write_text(page(), encoding="utf-8")

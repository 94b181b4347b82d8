"""Writes config/README.md, pages of docs/reference, docs/status.svg and the package's JSON Schema:
python -m tests.reference.
"""

from poller.configuration.model import schema
from tests.reference import picture
from tests.reference.generated import FOLDER, PAGES
from tests.reference.page import PATH, page

PATH.write_text(page(), encoding="utf-8")
picture.PATH.write_text(picture.picture(), encoding="utf-8")
schema.PATH.write_text(schema.text(), encoding="utf-8")
for name, made in PAGES.items():
    (FOLDER / name).write_text(made(), encoding="utf-8")

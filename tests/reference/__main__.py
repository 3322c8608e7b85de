"""Write the generated pages and the published schemas: ``make reference``."""

from __future__ import annotations

import json

from mlops.spec.schema import RECORDS, json_schema
from tests.reference.pages import FOLDER, PAGES

for name, page in PAGES.items():
    (FOLDER / name).write_text(page(), encoding="utf-8")
for kind in RECORDS:
    schema = json.dumps(json_schema(kind), indent=2)
    (FOLDER.parent / "schema" / f"{kind}.json").write_text(f"{schema}\n", encoding="utf-8")

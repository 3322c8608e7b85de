"""What an editor shows of a spec, asked of ``yaml-language-server`` itself.

``python -m tests.docs.editor PATH-OF-THE-SERVER`` opens the demo's spec with the published schema,
as an editor does, and checks completion, explanation and diagnostics. The server comes from npm,
so this is a job of continuous integration and not one of the tests; ``tests/spec/test_schema.py``
holds the schemas to the same without it.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
SCHEMA_LINE = "# yaml-language-server: $schema=../schema/model.json\n"


class LanguageServer:
    """A language server that is spoken to over its standard input and output."""

    def __init__(self, command: str, root: Path) -> None:
        self._process = subprocess.Popen(
            [command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._numbers = itertools.count(1)
        documentation = {"completionItem": {"documentationFormat": ["plaintext"]}}
        capabilities = {"textDocument": {"completion": documentation, "publishDiagnostics": {}}}
        self.ask(
            "initialize",
            {"processId": None, "rootUri": root.as_uri(), "capabilities": capabilities},
        )
        self.notify("initialized", {})
        settings = {"yaml": {"validate": True, "completion": True, "hover": True}}
        self.notify("workspace/didChangeConfiguration", {"settings": settings})

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and give its result."""
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                return message["result"]

    def notify(self, method: str, params: Any) -> None:
        """Send what has no answer."""
        self._send({"method": method, "params": params})

    def wait_for(self, method: str) -> Any:
        """The parameters of the next notification of a kind."""
        while True:
            message = self._receive()
            if message.get("method") == method:
                return message["params"]

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(timeout=30)

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(content) + content)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; what the server asks of an editor is answered on the way."""
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "id" in message and "method" in message:
            configured = message["method"] == "workspace/configuration"
            result = [{} for _ in message["params"]["items"]] if configured else None
            self._send({"id": message["id"], "result": result})
        return message


def check(command: str, folder: Path) -> None:
    """Open a spec with two mistakes, and look at what the server shows of it."""
    shutil.copytree(PROJECT / "docs" / "schema", folder / "include" / "schema")
    file = folder / "include" / "models" / "flight_delay.yml"
    file.parent.mkdir()
    sound = (PROJECT / "demo" / "include" / "models" / "flight_delay.yml").read_text()
    text = SCHEMA_LINE + sound.replace("exposure: medium", "exposure: enormous")
    text = text.replace("\ndeploy:\n", "\ndeploy:\n  shard: 2\n  \n")
    lines = text.splitlines()
    keys = json.loads((folder / "include/schema/model.json").read_text())["$defs"]["Deploy"]
    words = {name: key["description"] for name, key in keys["properties"].items()}
    shard, threshold = (
        next(number for number, line in enumerate(lines) if line.startswith(f"  {key}:"))
        for key in ("shard", "threshold")
    )
    document = {"uri": file.as_uri()}
    server = LanguageServer(command, folder)
    try:
        opened = {**document, "languageId": "yaml", "version": 1, "text": text}
        server.notify("textDocument/didOpen", {"textDocument": opened})
        found = server.wait_for("textDocument/publishDiagnostics")["diagnostics"]
        messages = {item["range"]["start"]["line"]: item["message"] for item in found}
        assert messages.pop(shard) == "Property shard is not allowed.", messages
        (message,) = messages.values()
        assert message.startswith('Value is not accepted. Valid values: "low", "medium"'), message

        place = {"textDocument": document, "position": {"line": shard + 1, "character": 2}}
        items = server.ask("textDocument/completion", place)["items"]
        explained = {item["label"]: item["documentation"] for item in items}
        assert explained.items() <= words.items(), explained
        assert "min_rows" in explained

        place["position"] = {"line": threshold, "character": 4}
        shown = server.ask("textDocument/hover", place)["contents"]["value"]
        assert words["threshold"].rstrip(".") in shown, shown
    finally:
        server.close()
    print(f"2 mistakes marked, {len(explained)} keys offered, 1 explained")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        check(sys.argv[1], Path(made))

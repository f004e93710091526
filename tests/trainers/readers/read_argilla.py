"""Reads an export as Argilla does: read_argilla.py FOLDER MODEL OUT.

The export's own script sends everything with Argilla's client to a server on loopback that keeps what it gets.
"""

import json
import os
import runpy
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder, _, out = sys.argv[1:]
kept = {"datasets": [], "fields": [], "questions": [], "metadata-properties": [], "vectors-settings": [], "records": []}


WHEN = {"inserted_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:00"}
SPACE = {"id": str(uuid.UUID(int=2)), "name": "space", **WHEN}


def answer(method, path, body):
    """What Argilla's server says, as far as its client asks."""
    parts = path.removeprefix("/api/v1/").split("/")
    if parts == ["me"]:
        return {"id": str(uuid.UUID(int=1)), "username": "someone", "role": "owner", "first_name": "A", **WHEN}
    if parts == ["me", "workspaces"]:
        return {"items": [SPACE]}
    if parts[0] == "workspaces":
        return SPACE
    if parts[-1] == "bulk":
        kept["records"] += body["items"]
        items = [one | {"id": str(uuid.uuid4()), "status": "pending", **WHEN} for one in body["items"]]
        return {"items": items, "updated_item_ids": []}
    if parts[-1] == "publish":
        kept["datasets"][0]["status"] = "ready"
    if method == "POST":
        kept[parts[-1]].append(body | WHEN | {"id": str(uuid.uuid4())})
        return kept[parts[-1]][-1]
    return {"items": kept[parts[-1]]} if parts[-1] in kept else kept["datasets"][0]


class Handler(BaseHTTPRequestHandler):
    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = json.dumps(answer(self.command, self.path.split("?")[0], json.loads(body or "null"))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do  # noqa: N815

    def log_message(self, *_):
        return


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {"ARGILLA_API_URL": f"http://127.0.0.1:{server.server_port}", "ARGILLA_API_KEY": "key", "NO_PROXY": "*"}
runpy.run_path(str(Path(folder) / "argilla_upload.py"), run_name="__main__")
rows = []
for record in kept["records"]:
    fields = record["fields"]
    prompt = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in fields["prompt"])
    rows.append({"prompt": prompt, "chosen": fields["chosen"], "rejected": fields["rejected"]})
settings = {"status": kept["datasets"][0]["status"], "fields": [one["name"] for one in kept["fields"]]}
Path(out).write_text(json.dumps({"rows": rows, "settings": settings}))

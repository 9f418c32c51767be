"""The fake bucketd as a child process, and what its mirror should hold."""
import http.client
import json
import sqlite3
import sys

from process import ROOT, Server, free_port


class BucketdServer(Server):
    name = "bucketd"

    def __init__(self, folder=None, seed=1, endless=0):
        super().__init__(folder)
        self.port, self.seed, self.endless = free_port(), seed, endless

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def command(self):
        return [sys.executable, ROOT / "tests/support/bucketd.py", "--port", self.port, "--seed", self.seed, "--endless", self.endless]

    def is_ready(self):
        try:
            return self.ask("GET", "/control/log") is not None
        except OSError:
            return False

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            return json.loads(text)
        finally:
            connection.close()

    def change(self, count):
        return self.ask("POST", "/control/changes", {"count": count})["cseq"]

    def fault(self, kind, count=1):
        self.ask("POST", "/control/faults", {"kind": kind, "count": count})

    def requests(self):
        return self.ask("GET", "/control/log")["requests"]

    def extension(self, store, **location):
        """The configuration of a service that mirrors it into the file `store`; None: another node has the store."""
        return {
            "name": "ingestion",
            "settings": {"store": {"type": "sqlite", "path": str(store)} if store else {"type": "elsewhere"}},
            "pipeline": {"retry_first": "100ms", "retry_max": "500ms"},
            "locations": [
                {
                    "name": "ring",
                    "paused": False,
                    "endpoint": self.url,
                    "sessions": [1],
                    "from": "beginning",
                    "poll_interval": "50ms",
                    "owner": {"id": "owner-1", "display_name": "Owner"},
                    "buckets": [{"source": "photos", "target": "ring-photos"}, {"source": "plain", "target": "ring-plain"}],
                    **location,
                }
            ],
        }

    def truth(self):
        return {f"ring-{bucket}": objects for bucket, objects in self.ask("GET", "/control/truth").items()}


def mirrored(store):
    """What the store holds, in the form of BucketdServer.truth()."""
    out = {"ring-photos": {}, "ring-plain": {}}
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10) as database:
        for bucket, key, version, md5 in database.execute("SELECT bucket, key, version, md5 FROM latest"):
            out[bucket][key] = [version, md5]
    return out


def difference(truth, found):
    """The first few objects that differ."""
    out = []
    for bucket in truth:
        for key in truth[bucket].keys() | found[bucket].keys():
            if truth[bucket].get(key) != found[bucket].get(key):
                out.append((bucket, key, truth[bucket].get(key), found[bucket].get(key)))
    return sorted(out)[:5]

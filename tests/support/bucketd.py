#!/usr/bin/python3
"""A bucketd of our own: raft logs over HTTP, made from a seed, with faults on demand, that knows how the buckets really stand.

    bucketd.py --port 9000 --seed 1 --changes 1000    # serves session 1 until it is ended

GET  /_/raft_sessions/<id>/log?begin=&limit=&targetLeader=false     as the real one; also /bucket, /_/buckets/<b>/id
POST /control/changes  {"count": 100}                               makes so many more changes
POST /control/append   {"records": [{"db", "method", "entries"}]}   appends these
POST /control/faults   {"kind": "...", "count": 3}                  spoils the next `count` answers (-1: all, until "none")
POST /control/prune    {"first": 100}                               forgets what is before
GET  /control/truth[?bucket=]                                       {"bucket": {"key": ["<version id>", "<md5>"]}}: the newest versions
GET  /control/log                                                   {"cseq", "prune", "requests"}

Faults: none, 404, 416, 500, truncated, invalid, slow, hang-up. With --endless N session 1 is N records made on the fly, cheaply.
"""
import argparse
import http.server
import json
import random
import socketserver
import threading
import time
import urllib.parse

SEPARATOR = "\0"
RG = "RG001  "
FIRST_MS = 1_795_000_000_000
KEYS = ("plain", "dir/a b", "ünï/çødé", "日本語/😀", "quote\"\\back", "per%cent+plus", "tab\tline")
SLOW_SECONDS = 0.02
OTHER = "other-bucket"


def version_id(number):
    """Internal; the greater the number the smaller, as newer versions are."""
    return f"{99_999_999_999_999 - FIRST_MS - number:014d}{999_999:06d}{RG}"


def metadata(number, version=None, **more):
    """The metadata of an object whose content is `number`."""
    data = {
        "owner-display-name": "Bart",
        "owner-id": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
        "content-length": number % 5000,
        "content-type": "text/plain",
        "content-md5": f"{number:032x}",
        "x-amz-version-id": "null",
        "x-amz-storage-class": "STANDARD",
        "acl": {"Canned": "private", "FULL_CONTROL": [], "WRITE_ACP": [], "READ": [], "READ_ACP": []},
        "key": "",
        "location": [{"key": f"{number:040x}", "size": number % 5000, "start": 0, "dataStoreName": "file", "dataStoreETag": f"1:{number:032x}"}],
        "isDeleteMarker": False,
        "tags": {},
        "replicationInfo": {"status": "", "backends": [], "content": [], "destination": "", "storageClass": "", "role": "", "storageType": "", "dataStoreVersionId": "", "isNFS": None},
        "dataStoreName": "us-east-1",
        "originOp": "s3:ObjectCreated:Put",
        "last-modified": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime((FIRST_MS + number) // 1000)),
        "md-model-version": 6,
    }
    if version:
        data["versionId"] = version
    data.update(more)
    return data


class Session:
    """One raft log and the buckets that it tells of. One bucket is versioned, one is not, one is not to be mirrored."""

    def __init__(self, seed, versioned="photos", unversioned="plain"):
        self.lock = threading.Lock()  # guards all below
        self.random = random.Random(seed)
        self.versioned, self.unversioned = versioned, unversioned
        self.records, self.prune, self.number = [], 1, 0
        self.versions = {}  # key -> {version: number, or None for a delete marker}
        self.plain = {}  # key -> number
        self.append({"db": versioned, "method": 0, "entries": [{"value": json.dumps({"attributes": "{}"})}]})

    @property
    def cseq(self):
        return len(self.records)

    def append(self, record):
        self.records.append(json.dumps(record))

    def put(self, bucket, *entries, method=8):
        written = [{"key": key, "type": "del"} if value is None else {"key": key, "value": json.dumps(value)} for key, value in entries]
        self.append({"db": bucket, "method": method, "entries": written})

    def change(self):
        self.number += 1
        key = f"{self.random.choice(KEYS)}-{self.random.randrange(200)}"
        choice = self.random.random()
        if choice < 0.1:
            self.put(OTHER, (key, metadata(self.number)))
        elif choice < 0.3:
            self.change_plain(key)
        else:
            self.change_versioned(key)

    def change_plain(self, key):
        if key in self.plain and self.random.random() < 0.3:
            del self.plain[key]
            self.put(self.unversioned, (key, None))
        else:
            self.plain[key] = self.number
            self.put(self.unversioned, (key, metadata(self.number)))

    def change_versioned(self, key):
        versions = self.versions.setdefault(key, {})
        if versions and self.random.random() < 0.2:
            self.remove_version(key, versions)
            return
        version = version_id(self.number)
        marker = bool(versions) and self.random.random() < 0.1
        versions[version] = None if marker else self.number
        value = metadata(self.number, version, isDeleteMarker=marker)
        self.put(self.versioned, (key, value), (key + SEPARATOR + version, value))

    def remove_version(self, key, versions):
        newest = min(versions)
        version = self.random.choice(sorted(versions))
        del versions[version]
        entries = [(key + SEPARATOR + version, None)]
        if version == newest:
            entries.append((key, {"isPHD": True, "versionId": version} if versions else None))
        self.put(self.versioned, *entries)

    def truth(self):
        def newest(versions):
            version = min(versions)
            return [version, f"{versions[version]:032x}"] if versions[version] is not None else None

        found = {key: newest(versions) for key, versions in self.versions.items() if versions}
        return {
            self.versioned: {key: value for key, value in found.items() if value},
            self.unversioned: {key: ["", f"{number:032x}"] for key, number in self.plain.items()},
        }

    def read(self, begin, limit):
        """@return the answer's pieces, or None beyond the end."""
        with self.lock:
            if begin > self.cseq:
                return None
            begin = max(begin, self.prune)
            records = self.records[begin - 1 : begin - 1 + limit]
            info = {"start": begin, "cseq": self.cseq, "prune": self.prune}
        return ['{"info":%s,"log":[' % json.dumps(info), *[("," if i else "") + record for i, record in enumerate(records)], "]}"]


class EndlessSession(Session):
    """`size` puts of a versioned bucket, made as they are asked for."""

    def __init__(self, size):
        super().__init__(0)
        self.size = size
        head, tail = json.dumps({"db": self.versioned, "method": 8, "entries": [{"key": "K@N@@V@", "value": json.dumps(metadata(7, "@V@"))}]}).split("K@N@@V@")
        before, after = tail.split("@V@")
        self.pieces = [head, before, after]

    @property
    def cseq(self):
        return getattr(self, "size", 0)

    def read(self, begin, limit):
        if begin > self.size:
            return None
        head, before, after = self.pieces
        info = {"start": begin, "cseq": self.size, "prune": 1}
        out = ['{"info":%s,"log":[' % json.dumps(info)]
        for number in range(begin, min(begin + limit, self.size + 1)):
            version = version_id(number)
            out.append(f"{',' if number > begin else ''}{head}k{number}\\u0000{version}{before}{version}{after}")
        return out + ["]}"]

    def truth(self):
        return {self.versioned: {f"k{number}": [version_id(number), f"{7:032x}"] for number in range(1, self.size + 1)}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", close=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, value):
        self.answer(200, json.dumps(value).encode())

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        session, parts = self.server.session, url.path.strip("/").split("/")
        if url.path == "/control/truth":
            with session.lock:
                truth = session.truth()
            self.answer_json(truth.get(query["bucket"], {}) if "bucket" in query else truth)
        elif url.path == "/control/log":
            self.answer_json({"cseq": session.cseq, "prune": session.prune, "requests": self.server.requests})
        elif parts[:2] == ["_", "raft_sessions"] and parts[3:] == ["log"]:
            self.answer_log(int(parts[2]), int(query.get("begin", 0) or 0), min(int(query.get("limit", 10_000)), 10_000))
        elif parts[:2] == ["_", "raft_sessions"] and parts[3:] == ["bucket"]:
            self.answer_json([session.versioned, session.unversioned, OTHER])
        elif parts[:2] == ["_", "buckets"] and parts[3:] == ["id"]:
            self.answer_json(1)
        else:
            self.answer(404)

    def answer_log(self, number, begin, limit):
        self.server.requests += 1
        fault = self.server.take_fault()
        if fault in ("404", "416", "500"):
            return self.answer(int(fault), b'{"code":"Fault"}')
        if number != 1:
            return self.answer(404)
        pieces = self.server.session.read(begin or 1, limit)
        if pieces is None:
            return self.answer(416)
        if fault == "slow":
            return self.send_slowly(pieces)
        body = "".join(pieces).encode()
        if fault == "invalid":
            body = body[: len(body) * 2 // 3] + b"\x01#" + body[len(body) * 2 // 3 :]
        if fault == "truncated":
            return self.answer(200, body[: len(body) * 2 // 3], close=True)
        if fault == "hang-up":
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return None
        return self.answer(200, body)

    def send_slowly(self, pieces):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for begin in range(0, len(pieces), 50):
            data = "".join(pieces[begin : begin + 50]).encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
            time.sleep(SLOW_SECONDS)
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        session = self.server.session
        with session.lock:
            if self.path == "/control/changes":
                for _ in range(body["count"]):
                    session.change()
            elif self.path == "/control/append":
                for record in body["records"]:
                    session.append(record)
            elif self.path == "/control/prune":
                session.prune = body["first"]
            elif self.path == "/control/faults":
                self.server.faults = [] if body["kind"] == "none" else [body["kind"], body.get("count", 1)]
            else:
                return self.answer(404)
        return self.answer_json({"cseq": session.cseq})


class Bucketd(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port, session):
        super().__init__(("127.0.0.1", port), Handler)
        self.session, self.faults, self.requests = session, [], 0

    def take_fault(self):
        with self.session.lock:
            if not self.faults or self.faults[1] == 0:
                return None
            self.faults[1] -= 1
            return self.faults[0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--port", type=int, default=9000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--changes", type=int, default=0, help="made at first")
    arguments.add_argument("--endless", type=int, default=0, help="serve so many records made on the fly instead")
    given = arguments.parse_args()
    session = EndlessSession(given.endless) if given.endless else Session(given.seed)
    for _ in range(given.changes):
        session.change()
    Bucketd(given.port, session).serve_forever()


if __name__ == "__main__":
    main()

"""Drives the shipped binary from outside: a folder to work in, a daemon to start, kill and ask."""
import http.client
import json
import os
import pathlib
import signal
import subprocess
import urllib.parse

import yaml

from process import BUILD, ROOT, start, wait_until

FERMATA = BUILD / "bin/fermata"
PLUGINS = BUILD / "lib/fermata/plugins"


class Workspace:
    """Folders and configuration of one daemon; survives the daemon."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.source = self.folder / "source"
        self.targets = {"paris": self.folder / "paris", "london": self.folder / "london"}
        self.data = self.folder / "data"
        for path in (self.source, self.data, *self.targets.values()):
            path.mkdir(exist_ok=True)
        self.config = {
            "node_id": "node-1",
            "data_dir": str(self.data),
            "plugin_dir": str(PLUGINS),
            "rest": {"port": 0},
            "log": {"level": "info"},
            "extensions": [self.crr()],
        }

    def crr(self, **changes):
        extension = {
            "name": "crr",
            "settings": {"source": {"type": "filesystem", "path": str(self.source)}},
            "locations": [{"name": name, "type": "filesystem", "path": str(path)} for name, path in self.targets.items()],
        }
        extension.update(changes)
        return extension

    def put(self, name, content):
        """Writes an object as careful programs do: aside, then renamed."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.parent / f".fermata-tmp-{os.getpid()}"
        aside.write_bytes(content if isinstance(content, bytes) else content.encode())
        aside.rename(path)

    def replicated(self, location, name, content):
        path = self.targets[location] / name
        expected = content if isinstance(content, bytes) else content.encode()
        return path.is_file() and path.read_bytes() == expected


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


class Daemon:
    """`fermata serve` as a child process."""

    def __init__(self, workspace, env=None, start=True):
        self.workspace = workspace
        self.env = env or {}
        self.process = None
        self.log_path = workspace.folder / "daemon.log"
        self.address = None
        self.request_seconds = 120
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def write_config(self):
        path = self.workspace.folder / "fermata.yaml"
        path.write_text(yaml.safe_dump(self.workspace.config, sort_keys=False))
        return path

    def launch(self):
        config = self.write_config()
        address_file = self.workspace.data / "rest.address"
        address_file.unlink(missing_ok=True)
        with self.log_path.open("ab") as log:
            self.process = start([FERMATA, "serve", "--config", config], stdout=log, stderr=log, env={**os.environ, **self.env})

    def start(self, timeout=90):
        self.launch()
        return self.wait_ready(timeout)

    def wait_address(self, timeout=90):
        """Until it serves, ready or not."""
        file = self.workspace.data / "rest.address"

        def serves():
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}:\n{self.log()}"
            return file.exists() and file.read_text().strip()

        self.address = wait_until(serves, timeout, "an address")
        return self

    def wait_ready(self, timeout=90):
        self.wait_address(timeout)

        def ready():
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}:\n{self.log()}"
            try:
                return self.get("/readyz").status == 200
            except OSError:
                return False

        wait_until(ready, timeout, "readiness")
        return self

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def kill(self):
        """kill -9, if it still runs."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait(60)

    def terminate(self, timeout=60):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def restart(self, how="kill"):
        self.kill() if how == "kill" else self.terminate()
        return self.start()

    def request(self, method, path, body=None, headers=None):
        url = urllib.parse.urlsplit(self.address)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=self.request_seconds)
        try:
            data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request(method, path, data, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body=None):
        return self.request("POST", path, body)

    def cli(self, *arguments, expect=0):
        result = subprocess.run(
            [FERMATA, *arguments], capture_output=True, text=True, timeout=150, env={**os.environ, "FERMATA_URL": self.address or "", **self.env}
        )
        assert expect is None or result.returncode == expect, f"fermata {' '.join(arguments)}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def location(self, service, name):
        answer = self.get(f"/api/v1/services/{service}/locations/{urllib.parse.quote(name, safe='')}")
        assert answer.status == 200, answer.text
        return answer.json

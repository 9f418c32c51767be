"""S3 servers for tests: MinIO and versitygw, and MinIO's client mc, built with Go at the first use and kept in the tests' cache;
and Swift from Debian's packages, for where there is no Go.

Only S3Server.client() and what calls it need boto3."""
import fcntl
import functools
import getpass
import http.client
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from kafka_broker import Unavailable, cache_folder
from process import Server, free_port, listens, start

MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
MC = "github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9"
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
BUILD_SECONDS = 900
ACCESS_KEY = "access"
SECRET_KEY = "secretsecret"
REGION = "us-east-1"


def built(module):
    """The program of a Go module, built at the first use. An interrupted build leaves nothing that would be used."""
    name, version = re.search(r"([^/]+)@(\S+)$", module).groups()
    program = cache_folder() / f"{name}-{version}"
    if program.is_file():
        return program
    problem = why_not_built(module, name, program)
    if problem:
        raise Unavailable(problem)
    return program


@functools.cache  # what cannot be built is not tried again by this process
def why_not_built(module, name, program):
    """Builds it. @return the reason if that cannot be."""
    if not shutil.which("go"):
        return f"{name} is not there and is built with Go, which is not installed: install Go, or put the program at {program}"
    program.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + BUILD_SECONDS
    with (program.parent / f"{name}.lock").open("w") as lock:
        while not program.is_file():  # whoever comes second waits for the build of the first
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return f"{name} is being built by another process, for too long: end that one"
                time.sleep(0.5)
                continue
            return None if program.is_file() else build(module, name, program, deadline)
    return None


def build(module, name, program, deadline):
    with tempfile.TemporaryDirectory(dir=program.parent, prefix="build-") as aside:
        environment = {**os.environ, "GOBIN": aside, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
        go = start(["go", "install", "-trimpath", module], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
        try:
            said = go.communicate(timeout=max(1.0, deadline - time.monotonic()))[0].strip().splitlines()
        except subprocess.TimeoutExpired:
            os.killpg(go.pid, signal.SIGKILL)  # its session: the compilers, too
            go.communicate()
            return f"{name} was not built within {BUILD_SECONDS} s: put the program at {program}"
        if go.returncode != 0:
            return f"{name} cannot be built ({said[-1] if said else 'no reason given'}): a newer Go or a network may help"
        os.rename(os.path.join(aside, name), program)
    return None


class S3Server(Server):
    """A server that speaks S3. Data survive kill9 and restart."""

    access_key = ACCESS_KEY

    def __init__(self, folder=None):
        super().__init__(folder)
        self.port = free_port()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def test_url(self):
        """With the keys in it."""
        return f"http://{self.access_key}:{SECRET_KEY}@127.0.0.1:{self.port}"

    def answers(self, path, status):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def client(self):
        """A boto3 client that tries each call once."""
        import boto3
        import botocore.config
        import botocore.handlers

        options = botocore.config.Config(
            signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60,
            max_pool_connections=32,
        )
        client = boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=self.access_key, aws_secret_access_key=SECRET_KEY, region_name=REGION, config=options
        )
        # An empty body after "Expect: 100-continue" leaves the connection waiting for the server to give it up.
        client.meta.events.unregister("before-call.s3", botocore.handlers.add_expect_header)
        return client

    def make_bucket(self, name, versioned=True):
        client = self.client()
        client.create_bucket(Bucket=name)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def settings(self, url=None):
        """How the plugin crr reaches it, as a source or a location; `url`: of something that stands in front of it."""
        return {"type": "s3", "endpoint": url or self.url, "region": REGION, "access_key": self.access_key, "secret_key": SECRET_KEY}


class MinioServer(S3Server):
    """@param kafka  (brokers, topic) that get the events of publish(bucket, "kafka"). @param webhook  (URL, token) likewise.
    @param keep_events  on disk until they were taken; then they are sent every few seconds only.

    It sends events only to what it could reach when it started."""

    name = "minio"

    def __init__(self, folder=None, kafka=None, webhook=None, keep_events=True):
        self.program = built(MINIO)
        super().__init__(folder)
        self.console_port = free_port()
        self.kafka, self.webhook, self.keep_events = kafka, webhook, keep_events

    def command(self):
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        values = {
            "MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off",
            "MINIO_CI_CD": "on",  # else it refuses folders on the disk of the root
        }
        if self.kafka:
            values |= self.target("KAFKA", BROKERS=self.kafka[0], TOPIC=self.kafka[1])
        if self.webhook:
            values |= self.target("WEBHOOK", ENDPOINT=self.webhook[0], AUTH_TOKEN=f"Bearer {self.webhook[1]}")
        return ["env", *(f"{name}={value}" for name, value in values.items()), self.program, "server", "--quiet",
                "--address", f"127.0.0.1:{self.port}", "--console-address", f"127.0.0.1:{self.console_port}", data]

    def target(self, kind, **values):
        """Variables of a receiver of events."""
        values |= {"ENABLE": "on"} | ({"QUEUE_DIR": self.folder / f"events-{kind.lower()}"} if self.keep_events else {})
        return {f"MINIO_NOTIFY_{kind}_{name}_X": value for name, value in values.items()}

    def is_ready(self):
        return self.answers("/minio/health/cluster", 200)  # "ready" is 200 before it can store anything

    def describe(self):
        return "MinIO of " + re.search(r"-(\d{8})\d{6}-", MINIO)[1]

    def publish(self, bucket, to):
        """From now on the bucket's events go to "kafka" or "webhook"."""
        events = {"QueueArn": f"arn:minio:sqs::X:{to}", "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        self.client().put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [events]})


class VersityServer(S3Server):
    """@param kafka  (brokers, topic) that get the events of all buckets."""

    name = "versitygw"

    def __init__(self, folder=None, kafka=None):
        self.program = built(VERSITYGW)
        super().__init__(folder)
        self.kafka = kafka

    def command(self):
        data, versions = self.folder / "data", self.folder / "versions"
        for each in (data, versions):
            each.mkdir(exist_ok=True)
        events = ["--event-kafka-url", self.kafka[0], "--event-kafka-topic", self.kafka[1]] if self.kafka else []
        return ["env", f"ROOT_ACCESS_KEY={ACCESS_KEY}", f"ROOT_SECRET_KEY={SECRET_KEY}", self.program, "--port", f"127.0.0.1:{self.port}",
                "--region", REGION, *events, "posix", "--versioning-dir", versions, data]

    def is_ready(self):
        return self.answers("/", 403)  # it wants to know who asks

    def describe(self):
        return "versitygw " + VERSITYGW.split("@")[1]


class SwiftServer(S3Server):
    """OpenStack Swift with its S3 API: a proxy in front of one device that holds one copy.

    It knows no tags and no aws-chunked. To remove the newest version of an object it waits for its own client_timeout."""

    name = "swift"
    access_key = f"{ACCESS_KEY}:{ACCESS_KEY}"  # account and user
    backends = ("account", "container", "object")

    def __init__(self, folder=None):
        missing = [program for program in (*(f"swift-{kind}-server" for kind in (*self.backends, "proxy")), "memcached") if not shutil.which(program)]
        if missing:
            raise Unavailable(f"{', '.join(missing)} is not installed: install swift-proxy, swift-account, swift-container, swift-object and memcached")
        super().__init__(folder)
        self.cache_port = free_port()
        self.etc = self.folder / "etc"
        self.configure()

    def configure(self):
        devices = self.folder / "devices"
        for each in (self.etc, devices / "d"):
            each.mkdir(parents=True, exist_ok=True)
        (self.etc / "swift.conf").write_text("[swift-hash]\nswift_hash_path_prefix = fermata\n[storage-policy:0]\nname = one\ndefault = yes\n")
        self.backend_ports = [free_port() for _ in self.backends]
        for kind, port in zip(self.backends, self.backend_ports):
            for step in ("create 2 1 1", f"add r1z1-127.0.0.1:{port}/d 1", "rebalance"):
                subprocess.run(["swift-ring-builder", self.etc / f"{kind}.builder", *step.split()], check=True, capture_output=True, timeout=60)
            self.write(kind, port, f"devices = {devices}\nmount_check = false", f"{kind}-server", "")
        pipeline = "catch_errors memcache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server"
        settings = {
            "memcache": f"memcache_servers = 127.0.0.1:{self.cache_port}",
            "s3api": f"location = {REGION}\ndns_compliant_bucket_names = false",
            "tempauth": f"user_{ACCESS_KEY}_{ACCESS_KEY} = {SECRET_KEY} .admin",
            "versioned_writes": "allow_object_versioning = true",
        }
        filters = [f"[filter:{name}]\nuse = egg:swift#{name}\n{settings.get(name, '')}" for name in pipeline.split()[:-1]]
        self.write("proxy", self.port, "client_timeout = 2", pipeline, "account_autocreate = true\n" + "\n".join(filters))

    def write(self, kind, port, defaults, pipeline, more):
        (self.etc / f"{kind}.conf").write_text(
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nswift_dir = {self.etc}\nuser = {getpass.getuser()}\n"
            f"log_level = ERROR\n{defaults}\n[pipeline:main]\npipeline = {pipeline}\n[app:{kind}-server]\nuse = egg:swift#{kind}\n{more}\n"
        )

    def command(self):
        cache = f"memcached -u {getpass.getuser()} -l 127.0.0.1 -p {self.cache_port} -m 16"
        servers = [cache, *(f"swift-{kind}-server {shlex.quote(str(self.etc / kind))}.conf" for kind in (*self.backends, "proxy"))]
        each = " & ".join(f"setpriv --pdeathsig KILL {server}" for server in servers)
        return ["sh", "-c", f"trap 'kill 0' TERM; {each} & wait"]

    def is_ready(self):
        return all(map(listens, [self.cache_port, *self.backend_ports])) and (self.answers("/", 404) or self.answers("/", 403))

    def describe(self):
        return "Swift"


def mc(folder, *arguments, **servers):
    """A command line of MinIO's client that knows these servers by their names, with its files in `folder`."""
    hosts = [f"MC_HOST_{name}={server.test_url}" for name, server in servers.items()]
    return ["env", f"MC_CONFIG_DIR={folder}", "MC_DISABLE_PAGER=1", *hosts, str(built(MC)), "--quiet", *map(str, arguments)]

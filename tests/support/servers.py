"""Real servers for tests: Redis, ZooKeeper and Kafka as children of this process, on private ports and in folders of their own.

usage: servers.py run [--kafka-old] [--s3] [--report FILE] -- COMMAND...
Runs COMMAND with FERMATA_TEST_REDIS, FERMATA_TEST_ZOOKEEPER and FERMATA_TEST_KAFKA (host:port each) in its environment, then ends
what it started and returns COMMAND's code. A broker that FERMATA_TEST_KAFKA already names is used as it is. FERMATA_TEST_KAFKA_GATED
and FERMATA_TEST_KAFKA_GATE name the gated listener: a fault gate that listens at GATE and relays to GATED sees all that its clients
send. --s3: FERMATA_TEST_MINIO and FERMATA_TEST_VERSITYGW, too (http://access:secret@host:port), each where it can be had or is given;
FERMATA_TEST_SWIFT where one of them cannot.
FILE gets a line for each server: which version ran, or why there is none."""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys

from kafka_broker import Kafka, OldKafka, Unavailable
from process import READY_SECONDS, Server, exchange, free_port, wait_until
from s3_servers import MinioServer, SwiftServer, VersityServer

ZOOKEEPER_JAR = "/usr/share/java/zookeeper.jar"


class Redis(Server):
    """A Redis whose data survives kill9 and restart. `users`: ACL lines such as "user fermata on >secret ~* &* +@all"."""

    name = "redis"

    def __init__(self, folder=None, password=None, users=(), replica_of=None):
        super().__init__(folder)
        self.port = free_port()
        self.socket = self.folder / "redis.sock"
        self.password, self.users, self.replica_of = password, users, replica_of

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        lines = [f"port {self.port}", "bind 127.0.0.1", f"unixsocket {self.socket}", f"dir {self.folder}", 'save ""', "appendonly yes", "appendfsync no"]  # what it wrote outlives a kill -9
        if self.password:
            lines.append(f"requirepass {self.password}")
        lines += self.users
        if self.replica_of:
            lines.append(f"replicaof 127.0.0.1 {self.replica_of.port}")
        config = self.folder / "redis.conf"
        config.write_text("\n".join(lines) + "\n")
        return ["redis-server", config]

    def is_ready(self):
        answer = exchange(self.port, b"PING\r\n", lambda got: got.endswith(b"\r\n"))
        return answer.startswith((b"+PONG", b"-NOAUTH"))

    def describe(self):
        version = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, timeout=10).stdout
        return "Redis " + re.search(r"v=(\S+)", version).group(1)


class Sentinel(Server):
    """One Sentinel that watches a master under `master_name` and decides alone."""

    name = "sentinel"
    master_name = "fermata"

    def __init__(self, master, folder=None, down_after_ms=1000):
        super().__init__(folder)
        self.port = free_port()
        self.master, self.down_after_ms = master, down_after_ms

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        config = self.folder / "sentinel.conf"
        if not config.exists():  # Sentinel keeps in it what it has learnt
            config.write_text(
                f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
                f"sentinel monitor {self.master_name} 127.0.0.1 {self.master.port} 1\n"
                f"sentinel down-after-milliseconds {self.master_name} {self.down_after_ms}\n"
                f"sentinel failover-timeout {self.master_name} 5000\n"
            )
        return ["redis-server", config, "--sentinel"]

    def master_port(self):
        """The port that Sentinel tells clients to use; 0 if it does not answer."""
        ask = f"SENTINEL get-master-addr-by-name {self.master_name}\r\n".encode()
        found = re.search(rb"\r\n(\d+)\r\n$", exchange(self.port, ask, lambda got: got.count(b"\r\n") >= 5))
        return int(found.group(1)) if found else 0

    def replicas(self):
        """How many replicas it has found: it can fail over only to one that it knows."""
        found = re.search(rb"slaves=(\d+)", exchange(self.port, b"INFO sentinel\r\n", lambda got: b"slaves=" in got and got.endswith(b"\r\n")))
        return int(found.group(1)) if found else 0

    def is_ready(self):
        return self.master_port() > 0

    def fail_over(self):
        """Has it promote its replica now, as soon as it knows it well enough."""
        ask = f"SENTINEL failover {self.master_name}\r\n".encode()
        wait_until(lambda: exchange(self.port, ask, lambda got: got.endswith(b"\r\n")).startswith(b"+OK"), READY_SECONDS, "a fail-over")


class ZooKeeper(Server):
    """A ZooKeeper on its own, or member `number` (from 1) of an ensemble (see ensemble())."""

    name = "zookeeper"

    def __init__(self, folder=None, number=0, tick_ms=500):
        super().__init__(folder)
        self.port = free_port()
        self.number, self.tick_ms = number, tick_ms
        self.peer_ports = (free_port(), free_port()) if number else ()
        self.members = [self]

    @classmethod
    def ensemble(cls, size=3):
        """Members of one ensemble; launch all, then wait for each."""
        members = [cls(number=number) for number in range(1, size + 1)]
        for member in members:
            member.members = members
        return members

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def command(self):
        lines = [
            f"tickTime={self.tick_ms}", f"dataDir={self.folder}", f"clientPort={self.port}", "clientPortAddress=127.0.0.1",
            "maxClientCnxns=0", "maxSessionTimeout=60000", "admin.enableServer=false", "4lw.commands.whitelist=*", "initLimit=20", "syncLimit=10",
        ]
        if self.number:
            lines += [f"server.{m.number}=127.0.0.1:{m.peer_ports[0]}:{m.peer_ports[1]}" for m in self.members]
            (self.folder / "myid").write_text(f"{self.number}\n")
        config = self.folder / "zoo.cfg"
        config.write_text("\n".join(lines) + "\n")
        main = "quorum.QuorumPeerMain" if self.number else "ZooKeeperServerMain"
        return ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no", "-cp", ZOOKEEPER_JAR,
                f"org.apache.zookeeper.server.{main}", config]

    def say(self, word):
        """The answer to a four-letter command, e.g. "cons"."""
        return exchange(self.port, word.encode(), lambda _: False).decode(errors="replace")

    def is_ready(self):
        return "Mode: " in self.say("srvr")

    def describe(self):
        found = re.search(r"version: ([\d.]+)", self.say("srvr"))
        return "ZooKeeper " + (found.group(1) if found else "(does not answer)")


class GivenKafka:
    """A broker that somebody else runs."""

    def __init__(self, address):
        self.address = address

    def launch(self):
        return self

    def wait_ready(self):
        return self

    def describe(self):
        return f"Kafka at {self.address} (given)"

    def close(self):
        pass


def choose_kafka(old, zookeeper):
    """@return a Kafka, or the reason why there is none."""
    given = os.environ.get("FERMATA_TEST_KAFKA")
    try:
        if given:
            return GivenKafka(given)
        return OldKafka(zookeeper.address, gates=1) if old else Kafka(gates=1)
    except Unavailable as reason:
        return str(reason)


S3_SERVERS = {"FERMATA_TEST_MINIO": MinioServer, "FERMATA_TEST_VERSITYGW": VersityServer}


def choose_s3():
    """@return {variable: server} of those that can be had and are not given, and what to report of the others."""
    servers, others = {}, []
    for variable, kind in S3_SERVERS.items():
        if variable in os.environ:
            others.append(f"{kind.name} (given)")
            continue
        try:
            servers[variable] = kind()
        except Unavailable as reason:
            others.append(f"no {kind.name}, so what needs it was skipped: {reason}")
    if len(servers) + len(os.environ.keys() & S3_SERVERS.keys()) < len(S3_SERVERS):
        try:
            servers["FERMATA_TEST_SWIFT"] = SwiftServer()  # for what little it can tell
        except Unavailable as reason:
            others.append(f"no Swift in their place: {reason}")
    return servers, others


def environment(redis, zookeeper, kafka, s3):
    values = {variable: server.test_url for variable, server in s3.items()}
    values |= {"FERMATA_TEST_REDIS": redis.address, "FERMATA_TEST_ZOOKEEPER": zookeeper.address}
    if kafka:
        values["FERMATA_TEST_KAFKA"] = kafka.address
    if isinstance(kafka, Kafka):
        broker = kafka.brokers[0]
        values["FERMATA_TEST_KAFKA_GATED"] = f"127.0.0.1:{broker.gated_ports[0]}"
        values["FERMATA_TEST_KAFKA_GATE"] = f"127.0.0.1:{broker.gate_ports[0]}"
    return values


def run_command(command, values):
    """Runs it in our session, so that Ctrl-C reaches it too; SIGTERM is passed on. @return its code."""
    child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], env={**os.environ, **values})
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        try:
            code = child.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            pass  # the child got it as well, and ends when it is ready


def run(arguments):
    redis, zookeeper = Redis(), ZooKeeper()
    servers = [redis, zookeeper]
    try:
        kafka = choose_kafka(arguments.kafka_old, zookeeper)
        reason = kafka if isinstance(kafka, str) else None
        zookeeper.launch()
        if arguments.kafka_old:
            zookeeper.wait_ready()  # the old broker gives up without it
        if not reason:
            servers.append(kafka)
            kafka.launch()
        redis.launch()
        s3, others = choose_s3() if arguments.s3 else ({}, [])
        for server in s3.values():
            servers.append(server)
            server.launch()
        for server in servers:
            server.wait_ready()
        if reason:
            others.append(f"no Kafka, so what needs one was skipped: {reason}")
        lines = [server.describe() for server in servers] + others
        for line in lines:
            print(f"server: {line}", flush=True)
        if arguments.report:
            pathlib.Path(arguments.report).write_text("\n".join(lines) + "\n")
        return run_command(arguments.command, environment(redis, zookeeper, None if reason else kafka, s3))
    finally:
        for server in servers:
            server.close()


def main():
    parser = argparse.ArgumentParser(description="Runs a command with real servers beside it.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("run")
    verb.add_argument("--kafka-old", action="store_true", help=f"Kafka {OldKafka.version} instead of {Kafka.version}")
    verb.add_argument("--s3", action="store_true", help="S3 servers, too")
    verb.add_argument("--report", help="file that gets a line for each server")
    verb.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.command[:1] == ["--"]:
        arguments.command = arguments.command[1:]
    if not arguments.command:
        parser.error("no command: servers.py run -- COMMAND...")
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())

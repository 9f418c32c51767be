"""How long a pause takes to reach the last of three nodes, and a resume to bring the first record, under a steady flow of records."""
import pathlib
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "integration")]
from cluster import Cluster, Servers  # noqa: E402
from process import wait_until  # noqa: E402

ROUNDS = 200
LOCATION = "left"
# 4,000 records a second, so that each of the three nodes has one to deliver every millisecond.
JOURNAL = {"keys": 999, "per_poll": 40, "period_ms": 10}


class Tail:
    """The lines that a node's probe adds to its output."""

    def __init__(self, node):
        self.file = open(node.output)
        self.rest = ""

    def times(self, location):
        """When each delivery at `location` began that was written since the last call, in ns since 1970."""
        text = self.rest + self.file.read()
        *lines, self.rest = text.split("\n")
        return [int(line.split(" ")[7]) for line in lines if line.startswith(location + " ")]


def straight(servers):
    """Changes a node's configuration so that nothing stands between it and the servers."""

    def adapt(config):
        config["redis"]["servers"] = [servers.redis.address]
        config["zookeeper"]["servers"] = [servers.zookeeper.address]
        config["kafka"]["brokers"] = [servers.kafka.address]

    return adapt


def pause(cluster, tails, node):
    """@return ms from the request to the answer, and to the last delivery on any node."""
    began = time.time_ns()
    cluster.pause(LOCATION, node=node, query="")
    answered = time.time_ns()
    cluster.pause(LOCATION, node=node)  # until all have come to rest
    last = max([began] + [at for tail in tails for at in tail.times(LOCATION)])
    return (answered - began) / 1e6, (last - began) / 1e6


def resume(cluster, tails, node):
    """@return ms from the request to the first delivery on the first node, and on the last one."""
    began = time.time_ns()
    cluster.resume(LOCATION, node=node, query="")
    first = {}

    def all_deliver():
        for number, tail in enumerate(tails):
            for at in tail.times(LOCATION)[:1]:
                first.setdefault(number, at)
        return len(first) == len(tails)

    wait_until(all_deliver, 30, "every node to deliver", pause=0.001)
    return (min(first.values()) - began) / 1e6, (max(first.values()) - began) / 1e6


def show(what, values, aim=""):
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(len(values) * share))]  # noqa: E731
    print(f"cluster: {what}: p50 {at(0.5):.2f} ms, p90 {at(0.9):.2f} ms, p99 {at(0.99):.2f} ms, worst {values[-1]:.2f} ms{aim}")


def main():
    with tempfile.TemporaryDirectory() as folder, Servers() as servers:
        cluster = Cluster(servers, folder, settings={"journal": JOURNAL}, adapt=straight(servers))
        try:
            cluster.start()
            wait_until(lambda: {line.node for line in cluster.lines()} == {node.id for node in cluster.nodes}, 60, "records on all nodes")
            tails = [Tail(node) for node in cluster.nodes]
            pauses, resumes = [], []
            for number in range(ROUNDS):
                time.sleep(0.1)  # let them flow
                for tail in tails:
                    tail.times(LOCATION)
                pauses.append(pause(cluster, tails, number % len(tails)))
                resumes.append(resume(cluster, tails, (number + 1) % len(tails)))
            show("pause, request to answer", [answer for answer, _ in pauses])
            show("pause, request to the last delivery on the last of three nodes", [last for _, last in pauses], " (aim: p99 20)")
            show("resume, request to the first delivery", [first for first, _ in resumes], " (aim: p50 5)")
            show("resume, request to the first delivery on the last node", [last for _, last in resumes])
        finally:
            cluster.close()


if __name__ == "__main__":
    main()

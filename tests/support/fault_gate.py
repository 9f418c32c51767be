"""Drives the program `fault_gate`: a TCP relay in front of a server, which misbehaves when told (fault_gate.hpp says how)."""
import subprocess

from process import BUILD, free_port, start


class FaultGate:
    """Relays 127.0.0.1:`port` to `to` (host:port). Ends with this process."""

    def __init__(self, to, port=None):
        self.port = port or free_port()
        self.process = start(
            [BUILD / "bin/fault_gate", "--listen", self.port, "--to", to], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.process.stdout.readline().strip() == str(self.port), f"fault_gate does not listen on {self.port}"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer[:1] == ["ok"], f"fault_gate, told '{command}': {' '.join(answer)}"
        return answer[1:]

    def passing(self):
        self.tell("pass")

    def cut(self):
        self.tell("cut")

    def half_open(self):
        self.tell("half-open")

    def slow(self, delay_ms, bytes_per_second=0):
        self.tell(f"slow {delay_ms} {bytes_per_second}")

    def reset_after(self, count, sender="server"):
        self.tell(f"reset-after {count} {sender}")

    def connections(self):
        return int(self.tell("connections")[0])

    def close(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

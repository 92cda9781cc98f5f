"""What reading the kernel's table of sockets costs: ``python -m tests.bench.socktable 100000``.

Makes so many sockets (half as many connections) in a network namespace of its own, held by as
many processes as the limit of descriptors asks for, and prints processor and wall time of each
reading: the bare table, and the reading as the helper process tells it. Needs root.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

from tcpviz.sources.socktable import SocketTable
from tcpviz.sources.tablechild import Teller

_CLONE_NEWNET = 0x40000000


def hold(number: int, connections: int) -> int:
    """A process that holds so many connections to itself; its id, once it has them."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        return pid
    address = f"127.0.{number // 250}.{number % 250 + 1}"
    with socket.create_server((address, 8000), backlog=4096) as server:
        held = []
        for _ in range(connections):
            held += [socket.create_connection((address, 8000)), server.accept()[0]]
        os.write(writer, b"x")
        signal.pause()
    os._exit(0)


def main() -> int:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if ctypes.CDLL(None).unshare(_CLONE_NEWNET):
        print("no network namespace here", file=sys.stderr)
        return 1
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    each = min((limit - 50) // 2, 10_000)
    holders = []
    try:
        left = wanted // 2
        while left > 0:
            holders.append(hold(len(holders), min(each, left)))
            left -= each
        table, teller = SocketTable(), Teller()
        for _ in range(3):
            cpu, wall = time.process_time(), time.perf_counter()
            found = table.read()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            told = {"table": found.total, "changed": len(found.rows)}
            print(json.dumps(told | {"cpu_s": round(cpu, 3), "wall_s": round(wall, 3)}), flush=True)
        for _ in range(3):
            cpu = time.process_time()
            size = len(json.dumps(teller.reading()))
            cpu = time.process_time() - cpu
            print(json.dumps({"told_bytes": size, "cpu_s": round(cpu, 3)}), flush=True)
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"memory_mb": usage // 1024}))
    finally:
        for pid in holders:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())

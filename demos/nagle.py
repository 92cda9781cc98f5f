"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Nagle's algorithm"
SECTION = "windows"
SHOWS = (
    "Three small writes, one after the other, while the cable is held. The first is sent at"
    " once. The next two wait for as long as something is unacknowledged, and then go together"
    " in one segment."
)
ASK = "What is gained by waiting, and who pays for it?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends data",
        "Three small writes follow each other. When does the first one leave?",
        "At once: nothing is unacknowledged, so there is nothing to wait for.",
    ),
    (
        "client sends data",
        "Two more writes wait in the kernel. What lets them go, and in how many segments?",
        "The ACK of the first; then both in one.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    client.socket()
    client.connect()

    lab.cable.hold()  # so that no ACK comes back meanwhile
    client.send("one")
    client.send("two")
    client.send("three")
    lab.cable.release()
    server.recv()
    server.recv()

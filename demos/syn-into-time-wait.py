"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A new SYN into TIME-WAIT"
SECTION = "closing"
SHOWS = (
    "The server is in TIME-WAIT, and the same client connects again from the same port. Its"
    " number is higher than any of the old connection's, so the kernel lets the new connection"
    " have the place: TIME-WAIT, then SYN-RECEIVED."
)
ASK = "Which number must the new SYN have, so that no old segment can be taken for a new one?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED", "SYN-SENT", "ESTABLISHED"]
SERVER = [
    "LISTEN",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "SYN-RECEIVED",
    "ESTABLISHED",
]
NEEDS = "cable"
STEPS = [
    (
        "server TIME-WAIT",
        "The server is in TIME-WAIT. May the same client connect again from the same port?",
        (
            "If its first number is higher than any of the old connection's, or its "
            "timestamp is newer: yes."
        ),
    ),
    (
        "server SYN-RECEIVED",
        "",
        "TIME-WAIT has given up its place to the new connection.",
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

    server.close()  # first: its end of the connection goes to TIME-WAIT
    client.close()

    server.accept()
    client.socket()
    client.bind()  # the same port as before
    client.connect()

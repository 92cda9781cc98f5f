"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The server resets in CLOSE-WAIT"
SECTION = "resets"
SHOWS = (
    "The client has closed its direction and waits in FIN-WAIT-2 for the answer. The server"
    " throws the connection away instead: the RST ends FIN-WAIT-2 at once, without TIME-WAIT."
)
ASK = "May an end that got a FIN still reset? Who is in TIME-WAIT now?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server CLOSE-WAIT",
        "The client closed its direction. Which two ways out of CLOSE-WAIT are there?",
        "FIN and LAST-ACK; or a RST, and it is over at once.",
    ),
    (
        "client CLOSED",
        "The RST reaches the client in FIN-WAIT-2. Is there a TIME-WAIT now?",
        "On neither side: a reset leaves nothing behind.",
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

    server.recv()
    client.shutdown("SHUT_WR")
    client.recv()  # blocks; then ECONNRESET
    server.setsockopt("SO_LINGER", 0)
    server.close()
    client.close()

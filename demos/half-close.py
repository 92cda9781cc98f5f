"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Half of a connection is closed"
SECTION = "closing"
SHOWS = (
    "shutdown(SHUT_WR) ends one direction only: the client has said everything,"
    " and the server still answers. The client waits in FIN-WAIT-2."
)
ASK = (
    "After its FIN, may the client still receive? May the server still send? In which states"
    " are they meanwhile?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
STEPS = [
    (
        "client sends FIN",
        "shutdown(SHUT_WR) is called, not close(). What crosses the cable?",
        "The same FIN as with close(): on the wire nobody can tell the difference.",
    ),
    (
        "client FIN-WAIT-2",
        "The FIN is acknowledged. May the client still receive?",
        "Yes: only its own direction is closed. In FIN-WAIT-2 data still comes in.",
    ),
    (
        "server sends data",
        "The server is in CLOSE-WAIT. May it send?",
        "Yes, as much as it likes: its direction is open until it closes too.",
    ),
    (
        "server sends FIN",
        "What ends the connection now?",
        "The server's own FIN; the client answers it and goes to TIME-WAIT.",
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
    client.send("sort these")
    server.recv()
    client.shutdown("SHUT_WR")  # the FIN: the server's recv() returns 0

    client.recv()  # the other direction is still open
    server.send("these sort")
    client.recv()
    server.close()
    client.close()

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "TIME-WAIT and EADDRINUSE"
SECTION = "closing"
SHOWS = (
    "The server closed first, so its port is in TIME-WAIT. Started again, it cannot bind() to"
    " it: EADDRINUSE. With SO_REUSEADDR, which every server should set, it can."
)
ASK = "What is the kernel afraid of? What does SO_REUSEADDR promise it?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
STEPS = [
    (
        "server TIME-WAIT",
        "The server closed first. What is in the way when it is started again at once?",
        (
            "Its own TIME-WAIT, which holds the port: without SO_REUSEADDR, bind() fails "
            "with EADDRINUSE."
        ),
    ),
    (
        "server returns bind",
        "Will this bind() succeed?",
        (
            "No. With SO_REUSEADDR the program promises that it can live with old segments "
            "that might still come."
        ),
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

    server.close()  # the connection, first
    client.close()
    server.close()  # and the listening socket: the program ends

    server.socket()  # it is started again
    server.bind()  # EADDRINUSE
    server.setsockopt("SO_REUSEADDR")
    server.bind()
    server.listen()

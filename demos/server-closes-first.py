"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The server closes first"
SECTION = "closing"
SHOWS = (
    "Either end may close first. Now it is the server that ends in TIME-WAIT,"
    " which is why a server that was just stopped may find its address in use."
)
ASK = (
    "What changes in the picture when the server closes first? Which of the two would rather"
    " not have TIME-WAIT?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
STEPS = [
    (
        "server FIN-WAIT-1",
        "The server closes first. On which side will TIME-WAIT be?",
        "On the server's: it stays with whoever closes first.",
    ),
    (
        "client CLOSE-WAIT",
        "What does the client's program learn, and how?",
        "recv() returns 0: the server will say nothing more. The client may still send.",
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

    client.recv()  # blocks: nothing has been sent
    server.close()  # closes the connection; the server still listens
    client.close()

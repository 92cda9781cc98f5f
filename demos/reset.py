"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Closed by a reset"
SECTION = "resets"
SHOWS = (
    "With SO_LINGER at 0 seconds, close() sends no FIN but a RST, and throws away what was"
    " not sent. There is no TIME-WAIT, and the other end's recv() fails."
)
ASK = (
    "Where is TIME-WAIT now? What does the server's recv() return, and what would it have"
    " returned after a FIN?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
STEPS = [
    (
        "client sends RST",
        "close() with SO_LINGER at 0 seconds. FIN or RST?",
        "RST: what was not sent yet is thrown away, and no answer is expected.",
    ),
    (
        "server returns recv",
        "After a FIN, recv() returns 0. And now?",
        "ECONNRESET: the program can tell an end from an abort.",
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

    client.setsockopt("SO_LINGER", 0)
    server.recv()  # blocks; then ECONNRESET
    client.close()
    server.close()

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The listener closes"
SECTION = "resets"
SHOWS = (
    "The server's program goes away while a connection waits in its accept queue. Its kernel"
    " resets that connection: nobody will ever take it. A later SYN is refused."
)
ASK = "connect() had succeeded. Had the server ever agreed to anything?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
OTHERS = [(["SYN-SENT", "CLOSED"], ["LISTEN", "CLOSED"])]
NEEDS = "cable"
STEPS = [
    (
        "client returns connect",
        "connect() returns. Has the server's program agreed to anything?",
        "No: the connection waits in the accept queue, and the kernel answered by itself.",
    ),
    (
        "server sends RST",
        "The listener closes. What becomes of those who wait in its queue?",
        "They are reset: nobody will ever accept them.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()

    client.socket()
    client.connect()
    client.recv()  # blocks; then ECONNRESET
    server.close()
    client.close()

    client.socket()
    client.connect()  # ECONNREFUSED
    client.close()

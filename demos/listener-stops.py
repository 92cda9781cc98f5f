"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "listen(), and nobody comes"
SECTION = "opening"
SHOWS = (
    "A listening socket is a state without a connection. shutdown() ends it, listen() begins"
    " it again, close() ends it for good, and nothing of that is seen on the wire."
)
ASK = "Which segments does a server send before the first client comes?"
CLIENT = ["CLOSED"]
SERVER = ["LISTEN", "CLOSED", "LISTEN", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server LISTEN",
        "listen() leads to LISTEN. Which segment is sent?",
        "None: a listener waits, and no one on the wire can see it.",
    ),
]


def run(lab):
    """Play it."""
    server = lab.server

    server.socket()
    server.bind()
    server.listen()
    server.shutdown("SHUT_RDWR")  # Linux: not listening any more, and still bound
    server.listen()
    server.close()

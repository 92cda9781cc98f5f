"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "What a listening socket cannot do"
SECTION = "opening"
SHOWS = (
    "The standard lets a listener change its mind: SEND or OPEN would send a SYN. Linux does"
    " not: send() fails with EPIPE and connect() with EISCONN, and the socket listens on."
    " Nothing is seen on the wire."
)
ASK = (
    "Two edges of the figure of the states exist on paper only. Which program would have"
    " needed them?"
)
CLIENT = ["CLOSED"]
SERVER = ["LISTEN"]
NEEDS = "cable"
STEPS = [
    (
        "server returns send",
        "The listener sends. By the RFC a SYN would leave. What does Linux do?",
        "Nothing leaves: send() fails with EPIPE.",
    ),
    (
        "server returns connect",
        "And if it connects?",
        "EISCONN, and the socket listens on.",
    ),
]


def run(lab):
    """Play it."""
    server = lab.server

    server.socket()
    server.bind()
    server.listen()
    server.send("hello")  # EPIPE
    server.connect(lab.client.port)  # EISCONN

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Connection refused"
SECTION = "resets"
SHOWS = "Nobody listens on that port, so the server's kernel answers the SYN with a reset."
ASK = (
    "Which program on the server sent the RST? How does the client tell this from a server"
    " that is switched off?"
)
CLIENT = ["SYN-SENT", "CLOSED"]
SERVER = ["CLOSED"]
STEPS = [
    (
        "client sends SYN",
        "Nobody listens on that port. What will the server's host do with this SYN?",
        "Its kernel answers with a RST; no program has anything to do with it.",
    ),
    (
        "client returns connect",
        "What does the client's program learn, and how fast?",
        (
            "connect() fails with ECONNREFUSED, one round trip later. A silent host would "
            "cost minutes."
        ),
    ),
]


def run(lab):
    """Play it."""
    client = lab.client

    client.socket()
    client.connect()  # ECONNREFUSED: nobody called listen() on that port
    client.close()
    lab.note("the server has no socket at all: its kernel answered")

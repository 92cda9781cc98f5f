"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The handshake"
SECTION = "opening"
SHOWS = (
    "Three segments open a connection: connect() returns on the second, accept() after the third."
)
ASK = (
    "Who is sure first that the connection stands? After which segment does connect() return,"
    " and after which accept()?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
STEPS = [
    (
        "client sends SYN",
        (
            "The client's program calls connect(). What leaves its host first, and with "
            "which number?"
        ),
        "A SYN with the client's first number; it takes up one number, as a byte of data does.",
    ),
    (
        "server SYN-RECEIVED",
        "The SYN arrives. Who answers it: the server's program in accept(), or its kernel?",
        (
            "The kernel, by itself, with SYN,ACK. accept() still blocks; the connection "
            "waits in the SYN queue."
        ),
    ),
    (
        "client returns connect",
        "Two segments have crossed the cable. Which call returns now, and which one still waits?",
        "connect() returns: the client has its proof. accept() waits for the third segment.",
    ),
    (
        "server ESTABLISHED",
        "What does the third segment prove, and to whom?",
        (
            "It proves to the server that its own first number has arrived: now both ends "
            "are ESTABLISHED."
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

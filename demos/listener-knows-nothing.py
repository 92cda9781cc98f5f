"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The server lost the connection, and listens still"
SECTION = "resets"
SHOWS = (
    "Now it is the server that has forgotten the connection. The client's data reaches the"
    " port, where the listening socket knows of no such connection: RST."
)
ASK = "The port is open, and yet the answer is a reset. Why not a SYN,ACK?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses RST",
        "The server threw the connection away, and its RST is lost. What does the client believe?",
        "That it is connected.",
    ),
    (
        "server sends RST",
        "The port listens, and data of an unknown connection comes. Why no SYN,ACK?",
        "Only a SYN asks for one. To anything else that belongs nowhere the answer is RST.",
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

    server.setsockopt("SO_LINGER", 0)
    lab.cable.drop("server", "RST")
    server.close()  # of the connection; the server listens on
    client.send("hello")
    client.recv()  # ECONNRESET
    client.close()

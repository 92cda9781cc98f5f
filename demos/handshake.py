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


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    client.socket()
    client.connect()

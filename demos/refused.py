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


def run(lab):
    """Play it."""
    client = lab.client

    client.socket()
    client.connect()  # ECONNREFUSED: nobody called listen() on that port
    client.close()
    lab.note("the server has no socket at all: its kernel answered")

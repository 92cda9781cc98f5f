"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Why three segments and not two"
SECTION = "opening"
SHOWS = (
    "A SYN has lost its way and arrives after its connection is long over. The server cannot"
    " know that it is old: it answers, in SYN-RECEIVED. The client, asked to confirm, does"
    " not: RST. With two segments the server would now be ESTABLISHED with nobody."
)
ASK = "What would the server do with a connection of two segments? What does the third one prove?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED", "SYN-RECEIVED", "LISTEN"]
NEEDS = "cable"
STEPS = [
    (
        "server CLOSED",
        "The connection is over. What would an old SYN that comes now look like to the server?",
        "Like any other: nothing in it tells its age.",
    ),
    (
        "client sends RST",
        "The server asks: did you mean it? What does the client say?",
        "RST: no. That is what the third segment is for.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    lab.cable.delay("client", "SYN", seconds=2)  # it loses its way
    client.socket()
    client.connect()
    client.wait()  # the SYN was sent again, and that one arrived
    client.setsockopt("SO_LINGER", 0)
    client.close()
    server.close()
    lab.cable.await_segment("client", "RST", nth=2)  # and now the first one has arrived
    lab.wait(0.2)

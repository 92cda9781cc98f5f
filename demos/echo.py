"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Open, talk, close"
SECTION = "opening"
SHOWS = (
    "A line goes to the server and comes back. Sequence numbers count its bytes;"
    " SYN and FIN count as one each."
)
ASK = (
    "By how much does the sequence number grow with each send()? Which segments carry no data"
    " and yet take a number?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
STEPS = [
    (
        "client sends data",
        "Which number does the first byte of data have, if the SYN had 0?",
        "1: the SYN has taken up the 0.",
    ),
    (
        "server sends ACK",
        "Thirteen bytes came, from number 1. Which number does the ACK name?",
        "14: the next one that is expected, not the last one that came.",
    ),
    (
        "client sends FIN",
        "The FIN carries no data. Does it take a number?",
        "Yes, one, so that it can be acknowledged, and repeated if it is lost.",
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

    server.recv()  # blocks until something comes
    client.send("hello, server")
    server.send(server.received)
    client.recv()

    server.recv()
    client.close()
    server.close()

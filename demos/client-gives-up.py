"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The client gives up before the answer"
SECTION = "opening"
SHOWS = (
    "The client's program ends while connect() still waits: its kernel forgets the connection"
    " without a word. The SYN,ACK comes to a host that knows of nothing and is answered with a"
    " RST, which takes the server from SYN-RECEIVED back to LISTEN."
)
ASK = "Which segment told the server that the client was gone? What if that one is lost too?"
CLIENT = ["SYN-SENT", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "LISTEN"]
NEEDS = "cable"
STEPS = [
    (
        "client CLOSED",
        "The program ends while connect() waits. Does the server learn of it?",
        "Not by this: the client's kernel forgets without a word, for nothing is established.",
    ),
    (
        "client gets SYN,ACK",
        "The SYN,ACK comes to a host that knows of no SYN. What does that host answer?",
        "RST: there is no such connection here.",
    ),
    (
        "server LISTEN",
        "Where does a RST lead from SYN-RECEIVED?",
        "Back to LISTEN, for this end came from there; accept() never hears of it.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    lab.cable.hold("server", "SYN,ACK")
    client.socket()
    client.connect()  # blocks: the answer is in the hand
    client.kill()
    lab.cable.release()

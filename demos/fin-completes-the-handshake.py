"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A FIN completes the handshake"
SECTION = "loss"
SHOWS = (
    "The third segment is lost, and the client closes at once. Its FIN carries the same ACK:"
    " the server goes from SYN-RECEIVED to CLOSE-WAIT in one step."
)
ASK = "Was the server ever ESTABLISHED? What does its accept() return, and its first recv()?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses ACK",
        "The third segment is lost. In which state is each end?",
        "The client is ESTABLISHED, the server still in SYN-RECEIVED.",
    ),
    (
        "server gets FIN",
        "The FIN carries an ACK too. What does it do to the server?",
        "Two things at once: its ACK completes the handshake, its FIN leads on to CLOSE-WAIT.",
    ),
    (
        "server returns recv",
        "What does the first recv() return?",
        "0, the end of the file: connected, and nothing will ever come.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()

    lab.cable.drop("client", "ACK")
    client.socket()
    client.connect()
    client.close()
    server.recv()
    server.close()

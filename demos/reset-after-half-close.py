"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A reset after a half-close"
SECTION = "resets"
SHOWS = (
    "The client has said all it had to say (FIN), and then wants to hear nothing any more"
    " either: it resets the connection out of FIN-WAIT-2. The server's recv() had returned 0;"
    " its next send() fails."
)
ASK = "Which states are passed over? What does the server's program notice, and when?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client FIN-WAIT-2",
        "The client has said all. What may it still do in FIN-WAIT-2?",
        "Receive, for as long as the server likes to send.",
    ),
    (
        "client sends RST",
        "It does not want to hear anything either. Which states are passed over?",
        "TIME-WAIT here, LAST-ACK there: a RST asks for no answer.",
    ),
    (
        "server returns send",
        "When does the server's program notice?",
        "At its next call: EPIPE.",
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

    server.recv()
    client.shutdown("SHUT_WR")
    client.setsockopt("SO_LINGER", 0)
    client.close()  # RST
    server.send("an answer")  # ECONNRESET or EPIPE: nobody is there
    server.close()

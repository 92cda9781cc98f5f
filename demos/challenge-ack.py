"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A reset that does not fit is challenged"
SECTION = "resets"
SHOWS = (
    "The client's FIN is lost; then it resets the connection. The number of its RST is one"
    " too high for the server, who did not get the FIN: it may be forged, so the server asks"
    " with an ACK. The client's host knows nothing of the connection any more and answers with"
    " a RST that fits exactly."
)
ASK = "Why does the server not simply believe a RST that lies in its window? (RFC 5961 tells.)"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server gets RST",
        "This RST's number is one too high. Will the server believe it?",
        "No: only a RST with exactly the expected number counts. It asks with a challenge ACK.",
    ),
    (
        "client sends RST",
        "The client's host gets an ACK of a connection that it has forgotten. What does it say?",
        (
            "RST, with the number of that ACK: now it fits exactly, and nobody who only "
            "guessed could have sent it."
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

    lab.cable.drop("client", "FIN")
    client.shutdown("SHUT_WR")
    client.setsockopt("SO_LINGER", 0)
    client.close()
    server.recv()  # ECONNRESET
    server.close()

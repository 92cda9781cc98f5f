"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A FIN to a host that has forgotten"
SECTION = "resets"
SHOWS = (
    "The client resets the connection after its half-close, and that RST is lost. The server"
    " knows nothing of it, sends its FIN, and gets another RST: LAST-ACK ends with a reset."
)
ASK = "Is it an error if a connection ends so? What does the server's close() return?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses RST",
        "The client's RST is lost. Will it be sent again?",
        "No: a RST takes no number and nobody acknowledges it.",
    ),
    (
        "client gets FIN",
        "The server's FIN comes to a host that has forgotten. And then?",
        "Another RST: LAST-ACK ends, as well as by an ACK.",
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

    client.shutdown("SHUT_WR")
    client.setsockopt("SO_LINGER", 0)
    lab.cable.drop("client", "RST")
    client.close()
    server.close()

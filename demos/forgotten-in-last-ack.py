"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Forgotten in LAST-ACK"
SECTION = "resets"
SHOWS = (
    "The server has sent its FIN and its ACK is lost. It drops the connection without a word."
    " Nobody will ever know: the client is in TIME-WAIT, where it expects nothing but a"
    " repeated FIN."
)
ASK = "Why is it no harm that the last ACK is never repeated?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses ACK",
        "The last ACK is lost. What will the server do, if nothing else happens?",
        "It repeats its FIN, and TIME-WAIT answers it again.",
    ),
    (
        "server CLOSED",
        "The server drops the connection instead. Will the client ever know?",
        "No, and it need not: TIME-WAIT ends by its own clock.",
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
    lab.cable.drop("client", "ACK")
    server.shutdown("SHUT_WR")
    server.setsockopt("SO_LINGER", 0)
    server.close()  # nothing is sent

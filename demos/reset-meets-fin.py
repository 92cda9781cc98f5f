"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A reset where a FIN was sent"
SECTION = "resets"
SHOWS = (
    "The client's FIN is lost, and while it waits for the ACK the server resets the"
    " connection. The client, in FIN-WAIT-1, is CLOSED at once."
)
ASK = "The FIN would have been repeated. Why need it not be any more?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses FIN",
        (
            "The FIN is lost, and the server knows of nothing. What could end the client's "
            "waiting before its timer?"
        ),
        "Anything of the server that has a say: here a RST.",
    ),
    (
        "client CLOSED",
        "The RST reaches FIN-WAIT-1. Will the FIN be repeated?",
        "No: there is no connection any more to which it could belong.",
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
    server.setsockopt("SO_LINGER", 0)
    server.close()
    client.close()

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "From FIN-WAIT-1 straight to TIME-WAIT"
SECTION = "closing"
SHOWS = (
    "The ACK of the client's FIN is lost. The server's own FIN carries the same"
    " acknowledgement, so the client never sees FIN-WAIT-2."
)
ASK = "Four segments or three? When may a server answer a FIN with FIN and ACK in one?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses ACK",
        "The ACK of the client's FIN is lost. What will get the client out of FIN-WAIT-1?",
        "Any later segment of the server: each carries an ACK.",
    ),
    (
        "client TIME-WAIT",
        "FIN and ACK come in one segment. Through which states does the client go?",
        "From FIN-WAIT-1 straight to TIME-WAIT; FIN-WAIT-2 is left out.",
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
    lab.cable.drop("server", "ACK")  # the ACK of the client's FIN
    client.close()
    server.close()  # FIN and, again, that ACK

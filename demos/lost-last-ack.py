"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The last ACK is lost"
SECTION = "loss"
SHOWS = (
    "The server has not got the ACK of its FIN: it stays in LAST-ACK and sends its FIN again."
    " The client is still there to answer, and its TIME-WAIT begins anew. That is one of the"
    " two things TIME-WAIT is for."
)
ASK = "What would the server get if the client had gone to CLOSED at once?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses ACK",
        "The last ACK is lost. In which states do the ends wait, and who acts first?",
        "The client in TIME-WAIT, the server in LAST-ACK; the server repeats its FIN.",
    ),
    (
        "client sends ACK",
        "Who answers the repeated FIN? The client's program has long ended.",
        "TIME-WAIT, in the client's kernel: that is one of the two things it is for.",
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
    client.close()
    lab.cable.drop("client", "ACK")
    server.close()
    lab.wait(1.5)  # the FIN is sent again, and acknowledged again

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Both close, and both ACKs are lost"
SECTION = "loss"
SHOWS = (
    "The FINs have crossed, so both ends are in CLOSING, and their ACKs die on the way. A"
    " copy of the server's FIN comes late: the client, in CLOSING, acknowledges it once more,"
    " and that brings the server to TIME-WAIT. The client must repeat its own."
)
ASK = (
    "What brings an end from CLOSING to TIME-WAIT: a FIN or an ACK? Why does a FIN that"
    " brings nothing new get an answer?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
NEEDS = "cable"
STEPS = [
    (
        "server loses ACK",
        "Both FINs have arrived and both ACKs are dying. In which state do the two ends wait?",
        "Both in CLOSING: each has the other's FIN, and none knows that its own has arrived.",
    ),
    (
        "client gets FIN",
        "A copy of the FIN comes to the client, which has it already. Must it answer?",
        "Yes: whoever repeats has no ACK yet. What is old is always acknowledged again.",
    ),
    (
        "server TIME-WAIT",
        "",
        "That ACK was all that the server waited for.",
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

    lab.cable.duplicate("server", "FIN", after=0.5)
    lab.cable.hold()
    client.close()
    server.close()
    lab.cable.drop("client", "ACK")
    lab.cable.drop("server", "ACK")
    lab.cable.release()
    lab.wait(2)

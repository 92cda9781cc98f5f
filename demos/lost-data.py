"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Data is lost"
SECTION = "loss"
SHOWS = (
    "The client's data dies on the way. No ACK comes, so after the retransmission timeout its"
    " kernel sends the same bytes again, with the same number."
)
ASK = "How does the client know that its data was lost, and not the ACK? Can it know?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses data",
        "The data dies on the way. How long until somebody notices?",
        (
            "Until the client's retransmission timer goes off: about 200 ms here, as the "
            "round trip is short."
        ),
    ),
    (
        "client sends data",
        "What is sent again, and with which number?",
        "The same bytes with the same number, so that the server can tell them from new ones.",
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
    lab.cable.drop("client", "data")
    client.send("hello")
    server.wait()

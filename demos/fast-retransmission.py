"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Fast retransmission and SACK"
SECTION = "loss"
SHOWS = (
    "Ten segments leave at once and the first is lost. Each of the others is answered with an"
    " ACK of the same number, and with SACK blocks that tell what lies beyond the hole. These"
    " duplicate ACKs are enough: the lost one is sent again without waiting for the timer."
)
ASK = (
    "How many duplicate ACKs come before the repetition? What does the client know from SACK"
    " that the ACK number alone does not tell?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses data",
        (
            "The first of ten segments is lost. How many of the other nine will be of use "
            "to the server?"
        ),
        "All: it keeps them, and says so by SACK.",
    ),
    (
        "server sends ACK",
        "What does the server answer to a segment beyond the hole?",
        "An ACK with the old number, the first one missing, and a SACK block with what it has.",
    ),
    (
        "client sends data",
        "When will the lost one be sent again: by the timer?",
        "No, after three duplicate ACKs already: that is fast retransmission.",
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

    lab.cable.drop("client", "data")
    client.send(bytes(14_480))  # ten segments; the first is lost
    server.recv()
    lab.wait(0.3)

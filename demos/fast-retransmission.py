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

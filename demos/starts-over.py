"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The client starts over before the answer"
SECTION = "opening"
SHOWS = (
    "The client's program ends while the answer is still under way, and is started again with"
    " the same port: a new SYN, with another number, comes to a server in SYN-RECEIVED. The"
    " standard sends it back to LISTEN; Linux stays, and asks with an ACK. The client's RST"
    " clears the way, and its SYN, sent again, opens the connection."
)
ASK = "Who might send such a second SYN besides this client? Why does Linux ask first?"
CLIENT = ["SYN-SENT", "CLOSED", "SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client CLOSED",
        "The program is gone, and its SYN is being answered. What does the server wait for?",
        "In SYN-RECEIVED, for an ACK that nobody will send.",
    ),
    (
        "server gets SYN",
        "A new SYN with another number, from the same port. Back to LISTEN, as the RFC says?",
        "Linux stays, and asks with an ACK: the SYN might be forged.",
    ),
    (
        "server LISTEN",
        "What leads the server back to LISTEN at last?",
        "The RST of the client, who knows nothing of the old attempt.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()

    client.socket()
    client.bind()
    lab.cable.hold("server", "SYN,ACK", 1)
    client.connect()  # blocks: the answer is in the hand
    client.kill()

    client.socket()
    client.bind()  # the same port
    client.connect()
    client.wait()
    lab.cable.drop_held("server", "SYN,ACK")  # that answer is of no use any more

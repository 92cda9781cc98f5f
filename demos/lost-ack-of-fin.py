"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The ACK of a FIN is lost"
SECTION = "loss"
SHOWS = (
    "The server has got the client's FIN and is in CLOSE-WAIT, but its ACK is lost. The"
    " client repeats the FIN, and gets the ACK a second time."
)
ASK = "The second FIN tells the server nothing new. Why must it answer all the same?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses ACK",
        "The server has the FIN, and its ACK is lost. In which state is each end?",
        "The server in CLOSE-WAIT, the client still in FIN-WAIT-1.",
    ),
    (
        "server sends ACK",
        "The FIN came a second time. Must the server answer, though it is nothing new?",
        "Yes: the repetition is the only sign that its ACK did not arrive.",
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
    lab.cable.drop("server", "ACK")
    client.close()
    lab.wait(1.5)
    server.close()

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The server's ACK and its FIN are both lost"
SECTION = "loss"
SHOWS = (
    "Both ends have sent their FIN and wait for its ACK: FIN-WAIT-1 on one side, LAST-ACK on"
    " the other. The client's FIN comes a second time, to a server in LAST-ACK, which"
    " acknowledges it once more."
)
ASK = "Which end could give up first, and what would become of the other?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses FIN",
        "The server's ACK and its FIN are both lost. In which state is each end?",
        "The client in FIN-WAIT-1, the server in LAST-ACK; both wait for the ACK of their FIN.",
    ),
    (
        "server gets FIN",
        "The client's FIN comes again, to an end in LAST-ACK that has it. What follows?",
        "An ACK once more: that is what the client was missing.",
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
    lab.cable.drop("server", "FIN")
    client.close()
    server.close()
    lab.wait(2.5)

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Both close at the same time"
SECTION = "closing"
SHOWS = (
    "Both FINs are under way when they cross: each end gets a FIN while it still waits for the"
    " ACK of its own, and goes to CLOSING."
)
ASK = "Neither end was first. Which of them ends in TIME-WAIT?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
NEEDS = "cable"
STEPS = [
    (
        "client sends FIN",
        "Both programs call close() at the same moment. Who is the active closer?",
        "Both are: each sends its FIN before it knows of the other's.",
    ),
    (
        "client CLOSING",
        "The client waits for the ACK of its FIN, and a FIN comes instead. Which state is that?",
        "CLOSING: both FINs are out, and the ACK of the own one is missing.",
    ),
    (
        "client TIME-WAIT",
        "Which end will be in TIME-WAIT?",
        "Both: neither can know that its ACK was the last one that was needed.",
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

    lab.cable.hold()
    client.close()
    server.close()
    lab.cable.release()  # both FINs cross

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Two segments arrive in the wrong order"
SECTION = "loss"
SHOWS = (
    "The first segment is overtaken by the second. The server keeps what came too early, says"
    " with SACK that it has it, and acknowledges everything as soon as the hole is filled."
    " Nothing is sent again."
)
ASK = "What does the client see of it, and why does it not repeat the first segment at once?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server gets data",
        "The second segment comes before the first. Does the server throw it away?",
        "No: it keeps it, and says by SACK that it has it.",
    ),
    (
        "client gets ACK",
        "How many duplicate ACKs does the client see, and how many would make it send again?",
        "Two come, three would be needed: so nothing is sent twice.",
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

    lab.cable.reorder("client", "data")
    client.send(bytes(4344))  # three segments
    server.recv()

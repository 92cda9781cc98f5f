"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Data arrives twice"
SECTION = "loss"
SHOWS = (
    "The network has made a copy of a segment. The server's kernel knows the numbers already,"
    " drops the copy and says so: an ACK whose SACK block lies below its own number (D-SACK)."
)
ASK = "How many bytes does recv() give? What could the client conclude from the D-SACK?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server gets data",
        "The network has made a copy of this segment. How often does recv() get the five bytes?",
        "Once: their numbers tell that the second ones are old.",
    ),
    (
        "server sends ACK",
        "And how does the server answer the copy?",
        "With an ACK and a D-SACK block: this I had already.",
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
    lab.cable.duplicate("client", "data")
    client.send("hello")
    server.recv()  # blocks: the copy is not given to the program

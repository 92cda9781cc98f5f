"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A damaged segment"
SECTION = "loss"
SHOWS = (
    "One byte is turned over on the way. The checksum does not fit, so the server's kernel"
    " drops the segment without a word, and the client sends it again when its timer runs out."
)
ASK = (
    "Why does the server not tell that it got something damaged? Would the program ever have"
    " noticed?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server gets data",
        "One byte was turned over on the way. What does the server's kernel do?",
        "It computes the checksum, finds that it does not fit, and drops the segment in silence.",
    ),
    (
        "client sends data",
        "How does the client know that it must repeat it?",
        (
            "By silence: no ACK within its timer. A damaged segment and a lost one look the"
            " same to it."
        ),
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
    lab.cable.corrupt("client", "data")
    client.send("hello")
    server.wait()

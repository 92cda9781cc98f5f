"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The SYN,ACK is lost"
SECTION = "loss"
SHOWS = (
    "The server has answered, but the answer dies on the way. Both ends repeat theirs"
    " after about a second."
)
ASK = "In which state is each end during that second? Who repeats what?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses SYN,ACK",
        "The answer dies on the way. In which state is each end?",
        "The client in SYN-SENT, the server in SYN-RECEIVED.",
    ),
    (
        "client returns connect",
        "Both repeat theirs after about a second. How long did connect() take?",
        (
            "That second: a lost segment in the handshake costs the most, for nobody knows "
            "the round-trip time yet."
        ),
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()

    lab.cable.drop("server", "SYN,ACK")
    client.socket()
    client.connect()  # blocks: the answer is lost
    client.wait()

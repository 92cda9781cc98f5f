"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The SYN is lost"
SECTION = "loss"
SHOWS = "The first SYN dies on the way. The client's kernel waits a second and sends it again."
ASK = "How does the client notice? What would happen if every SYN were lost?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses SYN",
        "The SYN is about to be lost. Who will be told?",
        "Nobody. IP does not report losses: only the client's timer will notice the silence.",
    ),
    (
        "client sends SYN",
        "What does the client's kernel send now, after how long, and with which number?",
        (
            "The same SYN with the same number, after about one second; the next pauses "
            "would be longer."
        ),
    ),
    (
        "server SYN-RECEIVED",
        "Does the server know that this is the second attempt?",
        "No: for the server it is the first SYN it has ever seen.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()

    lab.cable.drop("client", "SYN")
    client.socket()
    client.connect()  # blocks: its SYN is lost
    client.wait()  # until the kernel has sent it again

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The server gives up in SYN-RECEIVED"
SECTION = "timers"
SHOWS = (
    "The client is ESTABLISHED, but none of its ACKs gets through. The server repeats its"
    " SYN,ACK, then forgets the connection, without telling anybody."
)
ASK = "What does the client believe now, and for how long? How could it find out?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "LISTEN"]
NEEDS = "cable"
STEPS = [
    (
        "client loses ACK",
        "None of the client's ACKs gets through. What does each end believe?",
        "The client that it is connected; the server that nobody has answered yet.",
    ),
    (
        "server CLOSED",
        "The server forgets the connection. Does it tell the client?",
        "No. The client finds out when it sends: then it gets a RST.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.setsockopt("TCP_SYNCNT", 1)  # instead of net.ipv4.tcp_synack_retries, usually 5
    server.bind()
    server.listen()

    lab.cable.drop("client", "ACK", 9)
    client.socket()
    client.connect()
    lab.wait(4)  # a second, then two more

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The accept queue is full"
SECTION = "queues"
SHOWS = (
    "listen(1) leaves room for two connections in the accept queue, and nobody calls"
    " accept(). For the third, the server's kernel ignores the last ACK: the client is"
    " ESTABLISHED, the server stays in SYN-RECEIVED and repeats its SYN,ACK. When accept()"
    " makes room, that completes it."
)
ASK = (
    "The third client's connect() returned. What will it see if it sends now? And what would"
    " a fourth see?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
OTHERS = [
    (["SYN-SENT", "ESTABLISHED"], ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]),
    (["SYN-SENT", "ESTABLISHED"], ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]),
]
NEEDS = "cable"


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen(1)

    for _ in range(2):  # as many as there is room for
        client.socket()
        client.connect()

    client.socket()
    client.connect()  # returns, and yet the server has not taken it
    lab.note("the third connection stands for the client only")
    server.accept()  # takes the first one; now there is room
    lab.wait(2.5)  # the server's SYN,ACK comes again, and this time its ACK counts

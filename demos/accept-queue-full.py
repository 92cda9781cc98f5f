"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The accept queue is full"
SECTION = "queues"
SHOWS = (
    "listen(1) leaves room for two connections in the accept queue, and nobody calls"
    " accept(). Two handshakes begin while there is room for one: whose ACK comes second is"
    " ignored. That client is ESTABLISHED, while the server stays in SYN-RECEIVED and"
    " repeats its SYN,ACK. When accept() makes room, that completes it."
)
ASK = (
    "The third client's connect() returned. What will it see if it sends now? And a fourth, whose"
    " SYN would find the queue full?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
OTHERS = [
    (["SYN-SENT", "ESTABLISHED"], ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]),
    (["SYN-SENT", "ESTABLISHED"], ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]),
]
NEEDS = "cable"
STEPS = [
    (
        "client sends ACK",
        "listen(1): how many connections may wait for accept()?",
        "Two: Linux lets one more in than the number says.",
    ),
    (
        "server returns accept",
        (
            "The third client is ESTABLISHED, its server's end in SYN-RECEIVED. What can "
            "accept() change?"
        ),
        (
            "It takes one connection out of the queue: now there is room for the third, at "
            "its next ACK."
        ),
    ),
    (
        "server sends SYN,ACK",
        "",
        (
            "The server's timer sends the SYN,ACK again, and the ACK that it brings is "
            "taken this time."
        ),
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen(1)

    client.socket()
    client.connect()  # the first waits in the queue, and there is room for one more

    lab.cable.hold("client", "ACK")
    for _ in range(2):  # two handshakes begin, for as yet the queue is not full
        client.socket()
        client.connect()  # returns: the client has its proof
    lab.cable.release()  # one ACK after the other: the second takes the place, the third finds none
    lab.note("the third connection stands for the client only")
    server.accept()  # takes the first one; now there is room
    lab.wait(2.5)  # the server's SYN,ACK comes again, and this time its ACK counts

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Without Nagle: TCP_NODELAY"
SECTION = "windows"
SHOWS = (
    "The same three small writes with TCP_NODELAY: each goes at once in a segment of its own,"
    " acknowledged or not."
)
ASK = (
    "How many bytes cross the cable for eleven bytes of data? Which programs want it all the same?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends data",
        "The same three small writes, with TCP_NODELAY. How many segments this time?",
        "Three: none waits for an ACK.",
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

    client.setsockopt("TCP_NODELAY")
    lab.cable.hold()
    client.send("one")
    client.send("two")
    client.send("three")
    lab.cable.release()
    server.recv()

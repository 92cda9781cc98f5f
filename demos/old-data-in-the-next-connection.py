"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Without TIME-WAIT: old data meets the next connection"
SECTION = "closing"
SHOWS = (
    "The first connection ended with a reset, so there was no TIME-WAIT, and the next one has"
    " the same addresses and ports. A segment of the first arrives now. Only its number, which"
    " lies outside the new window, keeps it out of the new conversation."
)
ASK = (
    "What if the number had fitted? What do Linux's randomly chosen first numbers and its"
    " timestamps do against that?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED", "SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends RST",
        "The first connection ends by a reset. What does not come after it?",
        "TIME-WAIT: the same addresses and ports may be used again at once.",
    ),
    (
        "server gets data",
        "An old segment of the first connection comes into the second. Will recv() get it?",
        (
            "No, by luck and good randomness: its number lies outside the window. It is "
            "answered with an ACK."
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

    client.send("of the first connection")
    server.recv()
    client.setsockopt("SO_LINGER", 0)
    client.close()  # RST: no TIME-WAIT
    server.close()

    server.accept()
    client.socket()
    client.bind(client.port)  # the same port as before
    client.connect()
    server.recv()  # blocks, and goes on blocking
    lab.cable.replay("client", "data")  # of the first connection

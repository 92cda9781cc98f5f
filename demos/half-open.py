"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A half-open connection"
SECTION = "resets"
SHOWS = (
    "The client's host was switched off and on, and remembers nothing. The server still"
    " believes in the connection. What it sends reaches a host that knows of nothing and"
    " answers with a RST: only now does the server find out."
)
ASK = "How long could the server have waited, had it had nothing to send?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server sends data",
        "The client's host was off and on again. What does the server know of that?",
        "Nothing: it is ESTABLISHED, and would be for years if it had nothing to send.",
    ),
    (
        "client sends RST",
        "What does a host answer to data of a connection that it does not know?",
        "RST. Only now does the server learn that it has been alone.",
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

    client.reboot()
    lab.note("the server believes that it is connected")
    server.send("hello")
    server.recv()  # ECONNRESET
    server.close()

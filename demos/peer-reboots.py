"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The peer reboots and connects again"
SECTION = "resets"
SHOWS = (
    "The client has lost everything and connects again, from the same port. To the server,"
    " which is still ESTABLISHED, that SYN is out of place: it answers with an ACK of what it"
    " expects. The client never sent that, and answers with a RST. So the old connection dies,"
    " and the SYN, sent again at once, opens a new one (RFC 9293, figure 9)."
)
ASK = "The server did nothing wrong, nor did the client. Which of them had to give way, and why?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED", "SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client CLOSED",
        "The client's host is switched off and on, and remembers nothing. Who tells the server?",
        "Nobody: it stays ESTABLISHED, with somebody who no longer exists.",
    ),
    (
        "server gets SYN",
        "A SYN comes into an open connection. What does the server answer?",
        "An ACK of what it expects: it does not believe a SYN, which may be forged.",
    ),
    (
        "client sends RST",
        "The client never sent what that ACK speaks of. What follows?",
        "RST, which ends the old connection; and then its SYN once more.",
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

    server.recv()  # ECONNRESET, when the half-open connection is found
    client.socket()
    client.bind(client.port)  # the same port as before
    client.connect()  # SYN; ACK of the old connection; RST; then SYN again
    client.wait()
    server.close()
    server.accept()

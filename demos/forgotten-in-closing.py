"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Forgotten in CLOSING"
SECTION = "resets"
SHOWS = (
    "The FINs have crossed and both ACKs are lost. The client then drops the connection out"
    " of CLOSING, without a word, as the standard says. The server repeats its FIN, reaches a"
    " host that knows of nothing, and gets a RST."
)
ASK = "Did the client's program lose anything by this? What did the server's?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client CLOSED",
        "The client drops the connection in CLOSING. Does it send a RST?",
        "No: both FINs are sent, so nothing is lost that a RST would have to tell of.",
    ),
    (
        "client gets FIN",
        "The server repeats its FIN. What does it meet?",
        "A host that knows of nothing: RST, and the server's end is over too.",
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

    lab.cable.hold()
    client.shutdown("SHUT_WR")
    server.shutdown("SHUT_WR")
    lab.cable.drop("client", "ACK")
    lab.cable.drop("server", "ACK")
    lab.cable.release()
    client.setsockopt("SO_LINGER", 0)
    client.close()  # nothing is sent
    lab.wait(1.5)  # the server repeats its FIN

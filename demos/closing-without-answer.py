"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Giving up in CLOSING"
SECTION = "timers"
SHOWS = (
    "The FINs have crossed, and then the cable is cut. Both ends wait in CLOSING for the ACK"
    " of their FIN, repeat it, and give up."
)
ASK = "Neither end ever comes to TIME-WAIT. Does that do any harm?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client CLOSING",
        "The FINs have crossed. What must come now for TIME-WAIT?",
        "The ACK of the own FIN. The other's FIN is here already.",
    ),
    (
        "client CLOSED",
        "No ACK gets through. Does an end wait in CLOSING for ever?",
        "No: the FIN is repeated, each time after a longer wait, and then given up.",
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

    for host in (client, server):
        host.setsockopt("TCP_USER_TIMEOUT", 1500)  # ms; instead of net.ipv4.tcp_orphan_retries
    lab.cable.hold()
    client.close()
    server.close()
    lab.cable.drop("client", "any", 99)
    lab.cable.drop("server", "any", 99)
    lab.cable.release()
    lab.wait(3)

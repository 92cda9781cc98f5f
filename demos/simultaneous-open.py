"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Both connect at the same time"
SECTION = "opening"
SHOWS = (
    "Both SYNs cross. Each end answers the other's with SYN,ACK, and one connection stands,"
    " not two. Nobody ever listened."
)
ASK = "Who is the client here? How many segments does this handshake take?"
CLIENT = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
SERVER = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends SYN",
        "Two programs connect to each other, nobody listens. Can that work?",
        "Yes: the SYNs cross, and the machine has a path for it.",
    ),
    (
        "client SYN-RECEIVED",
        "The client is in SYN-SENT and gets a SYN instead of SYN,ACK. Which state follows?",
        "SYN-RECEIVED: it answers with SYN,ACK of its own.",
    ),
    (
        "client ESTABLISHED",
        "How many connections are there when both are ESTABLISHED?",
        "One: both SYNs belong to the same pair of addresses and ports.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    for host in (client, server):
        host.socket()
        host.bind()

    lab.cable.hold()
    client.connect()  # both block: both SYNs are in the hand
    server.connect()
    lab.cable.release()  # the SYNs cross

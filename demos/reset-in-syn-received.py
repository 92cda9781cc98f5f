"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A reset in SYN-RECEIVED"
SECTION = "resets"
SHOWS = (
    "The SYNs have crossed, and one program aborts: its end resets the connection out of"
    " SYN-RECEIVED. The other one, in SYN-RECEIVED too, never listened, so it has no LISTEN to go"
    " back to: CLOSED, and connect() fails."
)
ASK = "When does a RST lead from SYN-RECEIVED to LISTEN, and when to CLOSED?"
CLIENT = ["SYN-SENT", "SYN-RECEIVED", "CLOSED"]
SERVER = ["SYN-SENT", "SYN-RECEIVED", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server SYN-RECEIVED",
        "The SYNs have crossed: both ends come to SYN-RECEIVED. Was any of them ever in LISTEN?",
        "No: both called connect().",
    ),
    (
        "server CLOSED",
        "A RST comes in SYN-RECEIVED. Back to LISTEN, or CLOSED?",
        "CLOSED: back to LISTEN goes only what came from there. connect() fails.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    for host in (client, server):
        host.socket()
        host.bind()

    client.setsockopt("SO_LINGER", 0)
    lab.cable.hold()
    client.connect()
    server.connect()
    lab.cable.release("both", "SYN")  # both answer with SYN,ACK, which stay in the hand
    client.kill()  # RST
    lab.cable.drop_held("client", "SYN,ACK")
    lab.cable.release()
    server.wait()  # ECONNRESET

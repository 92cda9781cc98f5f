"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Closed before the handshake is over"
SECTION = "opening"
SHOWS = (
    "The SYNs have crossed, and one program ends before its own SYN is acknowledged: from"
    " SYN-RECEIVED its end goes to FIN-WAIT-1."
)
ASK = "Can the other program tell that this one never saw the connection open?"
CLIENT = ["SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2"]
SERVER = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT"]
NEEDS = "cable"
STEPS = [
    (
        "client SYN-RECEIVED",
        "Both called connect(), and the SYNs have crossed. What is missing now?",
        "For each end the ACK of its own SYN.",
    ),
    (
        "client FIN-WAIT-1",
        "The program ends here, before the handshake is over. Is it a FIN or a RST that leaves?",
        (
            "A FIN: SYN-RECEIVED may be left by CLOSE, and both the SYN and the FIN wait "
            "for their ACK."
        ),
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    for host in (client, server):
        host.socket()
        host.bind()

    lab.cable.hold()
    client.connect()
    server.connect()
    lab.cable.hold("server", "SYN,ACK")
    lab.cable.release("both", "SYN")
    client.kill()
    lab.cable.release()

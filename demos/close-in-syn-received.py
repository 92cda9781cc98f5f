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

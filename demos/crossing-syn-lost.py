"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Both connect, and one SYN is lost"
SECTION = "opening"
SHOWS = (
    "Of two crossing SYNs one is lost, and the answers to the other one too. That one comes a"
    " second time to an end that has it already, and is answered with an ACK. In the end one"
    " side has opened as a client does, the other by way of SYN-RECEIVED."
)
ASK = "Two programs called connect(), none called listen(). How many connections are there?"
CLIENT = ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
SERVER = ["SYN-SENT", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses SYN",
        "The client's SYN is lost. Can there be a connection before it is repeated?",
        "Nearly: if the other end's SYN comes, this one answers it and is in SYN-RECEIVED.",
    ),
    (
        "server ESTABLISHED",
        (
            "One end came by SYN-SENT alone, the other by SYN-RECEIVED. How many "
            "connections are there?"
        ),
        "One. Addresses and ports name it, not who spoke first.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    for host in (client, server):
        host.socket()
        host.bind()

    lab.cable.drop("client", "SYN")
    lab.cable.drop("client", "SYN,ACK", 2)
    client.connect()  # its SYN is lost
    server.connect()  # its SYN arrives; the answer is lost
    client.wait()
    server.wait()

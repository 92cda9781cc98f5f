"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A SYN flood, and cookies"
SECTION = "queues"
SHOWS = (
    "The queue is full again. But now the kernel answers the honest SYN without remembering"
    " anything: what it must know is packed into the number of its SYN,ACK, and comes back"
    " with the client's ACK. The connection is ESTABLISHED without ever having been in the SYN"
    " queue."
)
ASK = "What does the server have to give up for this? Why does it not always do so?"
CLIENT = ["CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED"]
OTHERS = [
    (["CLOSED"], ["LISTEN", "SYN-RECEIVED"]),
    (["SYN-SENT", "ESTABLISHED"], ["LISTEN", "ESTABLISHED"]),
]
NEEDS = "cable"


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.sysctl("net.ipv4.tcp_syncookies", 1)
    server.socket()
    server.bind()
    server.listen(1)  # room for two in the SYN queue, too
    server.accept()

    lab.cable.syn_flood(3)
    client.socket()
    client.connect()
    client.send("hello")
    server.recv()

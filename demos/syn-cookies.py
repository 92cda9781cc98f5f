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
STEPS = [
    (
        "server sends SYN,ACK",
        (
            "The queue is full of SYNs that nobody will complete. What can the server do "
            "for an honest client?"
        ),
        "Answer without remembering: pack what it must know into its own first number.",
    ),
    (
        "client returns connect",
        "Can the client tell that it got a cookie?",
        (
            "No: a first number is a first number. But some options were lost on the way, "
            "as there is no room for them."
        ),
    ),
]


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

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A SYN flood"
SECTION = "queues"
SHOWS = (
    "SYNs come from addresses at which nobody is. Each leaves a connection in SYN-RECEIVED,"
    " until the queue is full. Then the kernel drops every further SYN, that of an honest"
    " client too."
)
ASK = "What does the honest client see? How long does one SYN of the attacker occupy a place?"
CLIENT = ["CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED"]
OTHERS = [(["CLOSED"], ["LISTEN", "SYN-RECEIVED"]), (["SYN-SENT"], ["LISTEN"])]
NEEDS = "cable"
STEPS = [
    (
        "server SYN-RECEIVED",
        "A SYN from an address where nobody is. What does it cost the server?",
        "A place in the SYN queue, for over a minute, with its SYN,ACK sent six times.",
    ),
    (
        "client calls connect",
        "Now an honest client comes. What does it see?",
        (
            "Silence: the queue is full, and its SYN is dropped. It repeats it, and so the "
            "user sees a slow server."
        ),
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.sysctl("net.ipv4.tcp_syncookies", 0)
    server.socket()
    server.bind()
    server.listen(1)  # room for two in the SYN queue, too
    server.accept()

    lab.cable.syn_flood(3)
    client.socket()
    client.connect()  # blocks: its SYN is dropped
    lab.wait(1.2)

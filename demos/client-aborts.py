"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The client aborts its SYN"
SECTION = "opening"
SHOWS = (
    "With SO_LINGER at 0 seconds a program that ends aborts its connection. In SYN-SENT there"
    " is nobody to tell: the kernel only forgets. The server does not listen any more when the"
    " SYN, which was long under way, arrives."
)
ASK = "An abort sends a RST. Why not here?"
CLIENT = ["SYN-SENT", "CLOSED"]
SERVER = ["LISTEN", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client CLOSED",
        "The program is killed in SYN-SENT, with abort on close. What is sent?",
        "Nothing: in SYN-SENT there is no connection yet that a RST could end.",
    ),
    (
        "server gets SYN",
        "The SYN was long under way, and the server has stopped listening. What does it meet?",
        "A closed port: RST. And that one reaches a host that has forgotten its SYN.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()

    client.socket()
    client.setsockopt("SO_LINGER", 0)
    lab.cable.hold("client", "SYN")
    client.connect()  # blocks: its SYN is in the hand
    client.kill()
    server.close()
    lab.cable.release()  # the SYN comes to a closed port, and the RST to nobody

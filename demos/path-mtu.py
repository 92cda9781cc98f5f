"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The path MTU is found"
SECTION = "windows"
SHOWS = (
    "Somewhere on the way is a link that takes 1000 bytes only. The router there drops what"
    " is larger and says so by ICMP. The client's kernel learns, cuts its data anew and sends"
    " it again."
)
ASK = (
    "Both ends said MSS 1460. Who could have known better? What if the router's message is"
    " filtered away?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses data",
        "Both ends said 1460, and a link on the way takes 1000. Who knows?",
        "Only the router before that link. It drops the segment, and says so by ICMP.",
    ),
    (
        "client sends data",
        'The client has been told "MTU 1000". How large is its next segment?',
        "948 bytes: 1000 less 20 of IP, 20 of TCP and 12 of timestamps.",
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

    server.recv()
    lab.cable.mtu(1000)
    client.send(bytes(2000))
    server.recv()

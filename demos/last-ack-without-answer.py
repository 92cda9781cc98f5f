"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Giving up in LAST-ACK"
SECTION = "timers"
SHOWS = (
    "The server's FIN never gets its ACK. Its program has closed and is not told; the kernel"
    " repeats the FIN and gives up."
)
ASK = "The client waits in FIN-WAIT-2 for that FIN. Who ends its waiting?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses FIN",
        "The server is in LAST-ACK and its FIN is lost. What is the client waiting for?",
        (
            "For that FIN, in FIN-WAIT-2. Linux lets an end without a program wait there "
            "for a minute only."
        ),
    ),
    (
        "server CLOSED",
        "The kernel gives its FIN up. Who is told?",
        "Nobody. Both programs believe that all went well, and so it did: all data had arrived.",
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

    server.setsockopt("TCP_USER_TIMEOUT", 1500)  # ms; instead of net.ipv4.tcp_orphan_retries
    client.close()
    lab.cable.drop("server", "any", 99)
    server.close()
    lab.wait(3)

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A FIN that nobody acknowledges"
SECTION = "timers"
SHOWS = (
    "The client has closed, so no program waits for the outcome any more: its kernel alone"
    " repeats the FIN, each time after a longer wait, and gives up."
)
ASK = "Who is told that it failed? In which state does the server stay?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses FIN",
        "close() has returned. Who looks after the FIN now?",
        "The kernel alone: the program may have ended long ago.",
    ),
    (
        "client CLOSED",
        "The kernel gives up. Who is told?",
        "Nobody: no program is left here, and the server, ESTABLISHED, hears nothing.",
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

    client.setsockopt("TCP_USER_TIMEOUT", 1500)  # ms; instead of net.ipv4.tcp_orphan_retries
    lab.cable.drop("client", "any", 99)
    client.close()
    lab.wait(3)

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Keep-alive while half closed"
SECTION = "timers"
SHOWS = (
    "The client has closed its direction, and the server thinks for a long time. Both ask now"
    " and then whether the other is still there, the one out of FIN-WAIT-2, the other out of"
    " CLOSE-WAIT, and both are answered."
)
ASK = "Why is a probe answered, although it carries nothing new?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT"]
NEEDS = "cable"
STEPS = [
    (
        "server sends ACK",
        "",
        "The FIN is acknowledged: from now on the client can only listen.",
    ),
    (
        "client gets ACK",
        "For a while nobody says anything. What could keep a dead peer from going unnoticed?",
        "Keep-alives, if the program asked for them: in FIN-WAIT-2 and CLOSE-WAIT too.",
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

    for host in (client, server):
        host.setsockopt("TCP_KEEPIDLE", 1)  # seconds; usually two hours
        host.setsockopt("TCP_KEEPINTVL", 1)
        host.setsockopt("SO_KEEPALIVE")
    server.recv()
    client.shutdown("SHUT_WR")
    lab.wait(1.6)

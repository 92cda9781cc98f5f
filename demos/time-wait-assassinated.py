"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "TIME-WAIT is assassinated"
SECTION = "closing"
SHOWS = (
    "The last ACK takes so long that the server has sent its FIN again and got another ACK."
    " When the first one arrives, the server knows of no such connection any more and resets"
    " it. The RST fits, and TIME-WAIT is gone at once (RFC 1337). Nobody attacked: the"
    " segments are the ends' own."
)
ASK = (
    "Which of TIME-WAIT's two purposes is lost now? What does the sysctl net.ipv4.tcp_rfc1337"
    " change?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client TIME-WAIT",
        "The last ACK is under way, and slow. What will the server do meanwhile?",
        "Repeat its FIN: for the server the ACK is missing.",
    ),
    (
        "server CLOSED",
        "Another ACK came first: the server is CLOSED. And when the slow one arrives?",
        "It meets a host that knows of no such connection: RST.",
    ),
    (
        "client CLOSED",
        "The RST comes into TIME-WAIT. Does TIME-WAIT stand it?",
        "No, it is gone at once (RFC 1337), unless net.ipv4.tcp_rfc1337 is set.",
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

    client.close()
    lab.cable.delay("client", "ACK", seconds=1.5)
    server.close()
    lab.cable.await_segment("server", "RST")  # the late ACK has arrived, and is answered
    lab.wait(0.3)

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Data out of CLOSE-WAIT that nobody acknowledges"
SECTION = "timers"
SHOWS = (
    "The client has closed its direction, and the server still sends. Its data dies on the"
    " way until its kernel gives up: CLOSE-WAIT has no timer of its own, but data that was"
    " sent has."
)
ASK = "Without the send(), how long would CLOSE-WAIT have lasted?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server CLOSE-WAIT",
        "How long may the server stay in CLOSE-WAIT, and may it still send?",
        "For ever, as there is no timer; and it may send as much as it likes.",
    ),
    (
        "server CLOSED",
        "Nobody acknowledges its data. What ends CLOSE-WAIT after all?",
        (
            "The data's own timer: when the kernel gives up repeating it, the whole "
            "connection is given up."
        ),
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

    server.setsockopt("TCP_USER_TIMEOUT", 1500)  # ms; instead of net.ipv4.tcp_retries2
    client.shutdown("SHUT_WR")
    server.recv()
    lab.cable.drop("server", "any", 99)
    server.send("the answer")
    lab.wait(3)
    server.send("more")  # ETIMEDOUT
    server.close()

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A server that never closes"
SECTION = "closing"
SHOWS = (
    "The client has closed, and the server's program has not: CLOSE-WAIT lasts as long as the"
    " program wants. The client waits in FIN-WAIT-2, and its kernel gives that up after a"
    " time; the server's never will."
)
ASK = (
    "Whose bug is a host full of CLOSE-WAIT: the kernel's, the network's or the program's?"
    " Which end can mend it?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT"]
NEEDS = "cable"
STEPS = [
    (
        "client sends FIN",
        (
            "The client closes. The server's program never will. In which states do the two "
            "ends get stuck?"
        ),
        "The client in FIN-WAIT-2, the server in CLOSE-WAIT.",
    ),
    (
        "server CLOSE-WAIT",
        "How long does CLOSE-WAIT last?",
        (
            "As long as the program likes: the kernel has no timer for it. That is why it "
            "shows a bug."
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

    server.recv()
    client.setsockopt("TCP_LINGER2", 1)  # 1 s instead of net.ipv4.tcp_fin_timeout, usually 60 s
    client.close()  # the server's recv() returns 0, and the program forgets to close()

    lab.wait(4.5)  # Linux makes it at least 3.5 times the retransmission timeout
    lab.note("the client's kernel has given up; the server is in CLOSE-WAIT for ever")

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "TIME-WAIT cannot be aborted"
SECTION = "closing"
SHOWS = (
    "The client has still its socket open when its end comes to TIME-WAIT, and closes it as"
    " an abort. In any other state that would end the connection at once. But Linux has taken"
    " TIME-WAIT away from the program: it stays."
)
ASK = "Why would it be dangerous if a program could end TIME-WAIT?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server CLOSED",
        "Both have closed. Which end still remembers the connection, and for how long?",
        "The client's, in TIME-WAIT: a minute on Linux.",
    ),
    (
        "client calls close",
        (
            "The program aborts with SO_LINGER at 0 seconds. What will be sent, and what "
            "becomes of TIME-WAIT?"
        ),
        (
            "Nothing is sent, and TIME-WAIT stays: it belongs to the kernel, not to the "
            "program any more."
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

    client.shutdown("SHUT_WR")
    server.close()
    client.setsockopt("SO_LINGER", 0)
    client.close()  # and TIME-WAIT is still there
    lab.wait(0.2)

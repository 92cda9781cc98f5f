"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "TIME-WAIT's end"
SECTION = "timers"
SHOWS = (
    "Whoever closes first waits, a whole minute on Linux, before the connection is forgotten."
    " The kernel's own countdown is shown."
)
ASK = "What is being waited for? Why so long, if a segment takes milliseconds?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
LIMIT = 120
STEPS = [
    (
        "client TIME-WAIT",
        "Both have said everything, and both know it. Why wait another minute?",
        "For a repeated FIN that wants its ACK again, and for old segments to die out.",
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
    server.close()
    for _ in range(5):
        lab.wait(10)  # TIME-WAIT's timer is read: 50 s, 40 s, ...
    client.await_state("CLOSED", 30)

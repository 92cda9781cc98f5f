"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The client closes first"
SECTION = "closing"
SHOWS = (
    "Four segments end a connection: each direction has its own FIN and its own ACK."
    " Whoever closes first ends in TIME-WAIT."
)
ASK = "Which end is in TIME-WAIT at the end, and for how long? Why does the other not need it?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
STEPS = [
    (
        "client sends FIN",
        "The client calls close(). Does the connection end at once?",
        "No: its FIN only says 'I have no more to send'. The client goes to FIN-WAIT-1.",
    ),
    (
        "server CLOSE-WAIT",
        (
            "The FIN arrives. What does the server's program notice, and in which state is "
            "the server?"
        ),
        (
            "recv() returns 0, the end of file. CLOSE-WAIT: the server may still send, "
            "until it closes too."
        ),
    ),
    (
        "server sends FIN",
        "Which calls or segments must come before the server's FIN can leave?",
        "Its own close(): no kernel closes for the program. From CLOSE-WAIT it goes to LAST-ACK.",
    ),
    (
        "client TIME-WAIT",
        "Both FINs are out. Which end forgets the connection at once, and which one waits?",
        (
            "The one that closed first waits in TIME-WAIT; the other goes to CLOSED with "
            "the last ACK."
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

    server.recv()  # blocks: nothing has been sent
    client.close()  # the FIN: recv() returns 0, the end of the file
    server.close()

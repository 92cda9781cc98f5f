"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The FIN is lost"
SECTION = "loss"
SHOWS = (
    "The FIN takes a sequence number, as data does, so it is acknowledged and, when lost,"
    " sent again. Nobody notices but the clock."
)
ASK = (
    "In which state is each end while the FIN is lost? How does the client know that it must"
    " repeat it?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses FIN",
        "The FIN is lost. In which state is each end?",
        "The client in FIN-WAIT-1; the server, which knows of nothing, in ESTABLISHED.",
    ),
    (
        "client sends FIN",
        "What makes the client send it again?",
        "Its timer: the FIN takes a number, like data, and that number was not acknowledged.",
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
    lab.cable.drop("client", "FIN")
    client.close()
    server.wait()  # recv() returns when the FIN has come at last
    server.close()

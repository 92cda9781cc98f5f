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

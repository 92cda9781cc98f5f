"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Half of a connection is closed"
SECTION = "closing"
SHOWS = (
    "shutdown(SHUT_WR) ends one direction only: the client has said everything,"
    " and the server still answers. The client waits in FIN-WAIT-2."
)
ASK = (
    "After its FIN, may the client still receive? May the server still send? In which states"
    " are they meanwhile?"
)
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

    server.recv()
    client.send("sort these")
    server.recv()
    client.shutdown("SHUT_WR")  # the FIN: the server's recv() returns 0

    client.recv()  # the other direction is still open
    server.send("these sort")
    client.recv()
    server.close()
    client.close()

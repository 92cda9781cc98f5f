"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Both close, and both ACKs are lost"
SECTION = "loss"
SHOWS = (
    "The FINs have crossed, so both ends are in CLOSING, and their ACKs die on the way. A"
    " copy of the server's FIN comes late: the client, in CLOSING, acknowledges it once more,"
    " and that brings the server to TIME-WAIT. The client must repeat its own."
)
ASK = (
    "What brings an end from CLOSING to TIME-WAIT: a FIN or an ACK? Why does a FIN that"
    " brings nothing new get an answer?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
NEEDS = "cable"


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    client.socket()
    client.connect()

    lab.cable.duplicate("server", "FIN", after=0.5)
    lab.cable.hold()
    client.close()
    server.close()
    lab.cable.drop("client", "ACK")
    lab.cable.drop("server", "ACK")
    lab.cable.release()
    lab.wait(2)

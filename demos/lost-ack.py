"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The third segment is lost"
SECTION = "loss"
SHOWS = (
    "connect() has returned, and the server still waits in SYN-RECEIVED. The client's first"
    " data carries the same ACK and completes the handshake."
)
ASK = (
    "Does accept() return without the third segment? What helps, even before anything is repeated?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()

    lab.cable.drop("client", "ACK")
    client.socket()
    client.connect()
    client.send("hello")  # its ACK does what the lost one should have done
    server.recv()

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The SYN is lost"
SECTION = "loss"
SHOWS = "The first SYN dies on the way. The client's kernel waits a second and sends it again."
ASK = "How does the client notice? What would happen if every SYN were lost?"
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

    lab.cable.drop("client", "SYN")
    client.socket()
    client.connect()  # blocks: its SYN is lost
    client.wait()  # until the kernel has sent it again

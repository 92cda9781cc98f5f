"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The path MTU is found"
SECTION = "windows"
SHOWS = (
    "Somewhere on the way is a link that takes 1000 bytes only. The router there drops what"
    " is larger and says so by ICMP. The client's kernel learns, cuts its data anew and sends"
    " it again."
)
ASK = (
    "Both ends said MSS 1460. Who could have known better? What if the router's message is"
    " filtered away?"
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
    server.accept()  # blocks until there is a connection

    client.socket()
    client.connect()

    server.recv()
    lab.cable.mtu(1000)
    client.send(bytes(2000))
    server.recv()

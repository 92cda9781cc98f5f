"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "A black hole for large segments"
SECTION = "windows"
SHOWS = (
    "The same narrow link, and the router's message is filtered away. Small segments get"
    " through, large ones never: the handshake works, and then the connection hangs."
)
ASK = "How does this look to the user? Why do so many people first suspect the server?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends data",
        "The handshake has worked. Will five bytes get through a link that takes 1000?",
        "Yes: what is small fits. That is what makes this fault so hard to see.",
    ),
    (
        "client loses data",
        "A full segment is dropped, and no router says so. What does the client's kernel suspect?",
        "Loss: it sends the same large segment again, and again.",
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
    lab.cable.mtu(1000, tells=False)
    client.send("hello")  # gets through
    server.recv()
    client.send(bytes(1448))  # does not, however often it is repeated
    lab.wait(2.5)

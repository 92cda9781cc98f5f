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
STEPS = [
    (
        "client loses ACK",
        "The third segment is lost. May the client send data already?",
        "Yes, it is ESTABLISHED. Only the server does not know that yet.",
    ),
    (
        "server gets data",
        "Data comes to an end in SYN-RECEIVED. What does it do there?",
        "Its ACK completes the handshake, and the data is taken at once.",
    ),
]


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

"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Old data comes to an end that has closed"
SECTION = "loss"
SHOWS = (
    "The ACK of the server's data and the client's FIN are both lost. The server repeats its"
    " data, which comes to a client in FIN-WAIT-1 that has it already, and is acknowledged"
    " again."
)
ASK = "The client has closed. May it still acknowledge? Must it?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT"]
NEEDS = "cable"
STEPS = [
    (
        "client loses ACK",
        "The ACK of the server's data is lost. What will the server do?",
        "Repeat the data when its timer runs out.",
    ),
    (
        "client gets data",
        "The client has closed, and old data comes. May it still acknowledge?",
        "It must: its FIN ended its own speaking, not its listening.",
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

    client.recv()
    lab.cable.drop("client", "ACK")
    server.send("hello")
    lab.cable.drop("client", "FIN", 2)
    client.shutdown("SHUT_WR")
    lab.wait(4.5)

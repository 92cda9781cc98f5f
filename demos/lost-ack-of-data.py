"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The ACK of data is lost"
SECTION = "loss"
SHOWS = (
    "The data has arrived and been read, but the client does not know: it sends the same"
    " bytes again. The server's kernel sees by their number that they are old, drops them and"
    " acknowledges again. recv() never gets them twice."
)
ASK = "How does the server tell a repetition from the same words said twice?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server loses ACK",
        "The data has arrived, and its ACK is lost. What will the client conclude?",
        "That the data was lost: both look the same from there.",
    ),
    (
        "server gets data",
        "The five bytes come again. Will recv() get them a second time?",
        "No: their numbers are below what is expected. They are dropped, and acknowledged again.",
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
    lab.cable.drop("server", "ACK")
    client.send("hello")
    server.recv()  # blocks: the repetition is not given to the program
    lab.wait(1.5)

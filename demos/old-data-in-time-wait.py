"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Why TIME-WAIT lasts: an old segment arrives"
SECTION = "closing"
SHOWS = (
    "A copy of the server's data arrives when both programs have long closed. TIME-WAIT is"
    " still there to know it for what it is, drops it and answers with an ACK. Here that ACK"
    " also stands in for the last one, which was lost."
)
ASK = "What would have met that segment without TIME-WAIT: nothing, or the next connection?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses ACK",
        (
            "The last ACK is lost, and a copy of old data is still under way. Which end is "
            "in TIME-WAIT?"
        ),
        "The client, which closed first.",
    ),
    (
        "client gets data",
        "The old copy arrives in TIME-WAIT. What happens to it?",
        "It is dropped and answered with an ACK; and that ACK is just what the server was missing.",
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
    lab.cable.duplicate("server", "data", after=0.7)
    server.send("hello")
    client.close()
    client.await_state("FIN-WAIT-2")
    lab.cable.drop("client", "ACK")  # the last one; so the server is still there
    server.close()
    lab.wait(1)

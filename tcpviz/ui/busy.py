"""The scenario of the gallery: a busy server, with connections that end in many ways."""

from typing import Any

TITLE = "A busy server"
SECTION = "resets"
SHOWS = "Clients come and go; one is refused, one gets no answer, one is left half-closed."
ASK = "Which of these connections would you look at first?"
CLIENT: list[str] = []
SERVER: list[str] = []
NEEDS = "cable"


def run(lab: Any) -> None:
    """Play it."""
    client, server = lab.client, lab.server
    server.socket("web")
    server.bind(8080)
    server.listen()

    def opened(name: str) -> None:
        server.use("web")
        server.accept(name)
        client.socket(name)
        client.connect(8080)
        server.wait()

    for number in range(4):  # ask, answer, good-bye
        name = f"visitor{number}"
        opened(name)
        server.recv()
        client.send("GET / HTTP/1.1\r\n\r\n")
        server.send("HTTP/1.1 200 OK\r\n\r\n" + "x" * 3000 * number)
        client.recv()
        client.close()
        server.recv()
        server.close()

    client.socket("refused")
    client.connect(9999)

    opened("lossy")
    server.recv()
    lab.cable.drop("client", "data")
    client.send("is this lost?")
    server.wait()

    opened("forgotten")  # the server never closes
    client.close()

    opened("query")
    server.recv()
    client.send("select 1")
    server.close()
    client.recv()

    alone = client.another("stranger")
    alone.socket()
    lab.cable.drop("client", "SYN", count=2)
    alone.connect(8080)
    lab.wait(1.3)

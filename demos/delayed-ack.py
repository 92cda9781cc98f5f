"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The delayed ACK"
SECTION = "windows"
SHOWS = (
    "In a conversation the server's kernel does not acknowledge a small segment at once: the"
    " program may be about to answer, and then the ACK would go with the answer. When nothing"
    " is said for 40 ms, it goes alone. Two full segments are acknowledged at once."
)
ASK = (
    "Which ACK could be saved if the server answered faster? What happens when the other end"
    " uses Nagle's algorithm?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server gets data",
        "Will this small segment be acknowledged at once?",
        (
            "Yes, this one: at the beginning Linux acknowledges quickly, so that the "
            "sender's window can grow."
        ),
    ),
    (
        "server sends data",
        "The server answers. What does its segment carry besides the data?",
        "An ACK, which costs nothing there. That is why the kernel likes to wait for an answer.",
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

    client.setsockopt("TCP_NODELAY")
    for _ in range(2):
        server.recv()
        client.send("a question")
        client.recv()
        server.send("an answer")  # now the kernel takes it for a conversation
    server.recv()
    client.send("a last word")  # the ACK waits for an answer that does not come
    client.send(bytes(2896))  # two full segments: the ACK goes at once

"""The plain register: TCP as a talk at a door, for those who hear of it for the first time.

Two people, each with a door-keeper (the kernel) who answers for a master (the
program). What a segment says is what its sender says; what a call says, a master
says to the own keeper. Keys are those of the precise texts in the ``explain_*``
modules; ``{Who}``/``{who}`` speaks, ``{peer}`` is spoken to.
"""

from __future__ import annotations

from typing import Final

from tcpviz.core.states import Event, State

SAID: Final[dict[str, str]] = {
    "syn": '{Who}: "I\'m coming in."',
    "syn-again": '{Who}: "Hello? I\'m coming in!" Nobody has answered, so it knocks again.',
    "syn-data": '{Who}: "I\'m coming in, and here is my first sentence already."',
    "syn-ack": '{Who}: "Someone is here, I\'ve made room; come in."',
    "syn-ack-again": '{Who}: "I said: come in!" It has heard nothing since, so it says it again.',
    "syn-ack-data": '{Who}: "Come in, and here is my answer already."',
    "syn-ack-crossing": '{Who}: "You are coming too? Then we meet in the doorway."',
    "ack-of-syn": '{Who}: "Good, I\'m in."',
    "ack": '{Who}: "I have heard everything up to here; go on with number {ack}."',
    "ack-of-fin": '{Who}: "I heard that; I may still talk."',
    "ack-last": (
        '{Who}: "I heard that. Goodbye!" It stays at the door for a while, in case the goodbye '
        "gets lost."
    ),
    "data": '{Who}: "Here are {bytes} for you. Tell me when you have them."',
    "fin": '{Who}: "I have nothing more to say."',
    "fin-second": '{Who}: "I have nothing more to say either."',
    "fin-data": '{Who}: "Here is the rest, and then I have nothing more to say."',
    "rst": '{Who}: "This talk is over!" The door is slammed; no answer is wanted.',
    "rst-refused": '{Who}: "Nobody receives visitors at this door. Go away!"',
    "rst-unknown": '{Who}: "What talk? I know of none with you. Go away!"',
    "other": "{Who} says something that makes no sense ({flags}). {Peer} shakes its head.",
}
"""What a segment says when it leaves (or is seen)."""

SAID_MARKS: Final[dict[str, str]] = {
    "retransmission": '{Who}: "You did not answer, so I say it again."',
    "fast_retransmission": '{Who}: "You ask for it again and again: here it is once more."',
    "spurious_retransmission": (
        '{Who}: "You did not answer, so I say it again." {Peer} had heard it all right; the '
        "answer was late or got lost."
    ),
    "out_of_order": "{Who}'s words arrive in the wrong order; {peer} puts them in line.",
    "lost_segment": "Something that {who} said before this was not overheard.",
    "ack_lost_segment": '{Who}: "I have heard that." So it was said, though nobody overheard it.',
    "duplicate_ack": '{Who}: "I am still waiting for number {ack}!"',
    "zero_window": '{Who}: "Stop, my hands are full!"',
    "zero_window_probe": '{Who}: "May I go on now?"',
    "zero_window_probe_ack": '{Who}: "Not yet, my hands are still full."',
    "window_full": "{Who} has handed over as much as {peer} can hold, and has to wait.",
    "window_update": '{Who}: "My hands are free again, go on."',
    "keep_alive": '{Who}: "Are you still there?"',
    "keep_alive_ack": '{Who}: "Yes, still here."',
    "reused_ports": "The same two, at the same doors, begin a new talk.",
    "captured_twice": "The same words, overheard twice.",
}
"""By the mark's name; where one of these fits, it says it all."""

HEARD: Final[dict[str, str]] = {
    "syn": "{Peer}'s keeper hears the knock.",
    "syn-ack": "{Peer} hears that it may come in.",
    "ack": "{Peer} knows now that its words were heard.",
    "data": "{Peer}'s keeper has the words and keeps them until its master asks for them.",
    "fin": "{Peer} hears that {who} has no more to say.",
    "rst": "{Peer} hears the door slam.",
    "other": "{Peer} hears it and makes nothing of it.",
}
"""What a segment does on its arrival, where it moves nobody."""

LOST: Final[dict[str, str]] = {
    "syn": "The knock is lost in the corridor: {peer} has heard nothing, {who} waits.",
    "syn-ack": "The 'come in' is lost in the corridor: {peer} still waits before the door.",
    "ack": "The 'I have heard' is lost in the corridor: {peer} does not know whether it was heard.",
    "data": "The words are lost in the corridor. Nobody says so: {who} will only miss an answer.",
    "fin": "The 'nothing more to say' is lost: {peer} thinks that the talk goes on.",
    "rst": "The slam is not heard: {peer} thinks that somebody is still there.",
    "other": "It is lost in the corridor, and nobody is told.",
}

MOVED: Final[dict[tuple[Event, State | None], str]] = {
    (Event.PASSIVE_OPEN, None): "{Who} opens the door and waits for visitors.",
    (Event.ACTIVE_OPEN, None): "{Who} stands before the door, has knocked, and waits.",
    (Event.SEND, None): "{Who} talks to an empty doorway, and so begins a visit of its own.",
    (Event.CLOSE, State.CLOSED): "{Who} goes away before anything came of it.",
    (Event.CLOSE, State.FIN_WAIT_1): "{Who} has said that it is done, and waits for a nod.",
    (Event.CLOSE, State.LAST_ACK): "Both have said that they are done; {who} waits for a last nod.",
    (Event.ABORT, None): "{Who} runs off in the middle of the talk.",
    (Event.RCV_SYN, State.SYN_RECEIVED): (
        "{Who}'s keeper hears the knock, makes room and calls 'come in'. The master need not know "
        "yet."
    ),
    (Event.RCV_SYN_ACK, None): "{Who} may come in, and does: for {who} the visit has begun.",
    (Event.RCV_ACK_OF_SYN, None): "Now {who} knows that its visitor is in: they can talk.",
    (Event.RCV_FIN, State.CLOSE_WAIT): (
        "{Who} has heard that {peer} is done. {Who} may still talk, and must say some day that it "
        "is done too."
    ),
    (Event.RCV_FIN, State.CLOSING): "Both have said 'I am done' at the same time.",
    (Event.RCV_FIN, State.TIME_WAIT): (
        "Both are done. {Who} stays at the door for a while, in case its last nod was not seen."
    ),
    (Event.RCV_FIN_AND_ACK_OF_FIN, None): (
        "{Peer} nods and is done too, all in one word. {Who} stays at the door for a while."
    ),
    (Event.RCV_ACK_OF_FIN, State.FIN_WAIT_2): (
        "{Peer} has heard that {who} is done. Now {who} only listens, until {peer} is done as well."
    ),
    (Event.RCV_ACK_OF_FIN, State.TIME_WAIT): (
        "Both are done and know it. {Who} stays at the door for a while, to be sure."
    ),
    (Event.RCV_ACK_OF_FIN, State.CLOSED): "{Who} has seen the last nod and goes: it is all over.",
    (Event.RCV_RST, State.LISTEN): "The visitor is gone before it was in; {who} waits for others.",
    (Event.RCV_RST, None): "The door was slammed in {who}'s face: for {who} it is over at once.",
    (Event.RCV_NEW_SYN, None): "The same visitor knocks anew: {who} begins from the beginning.",
    (Event.RCV_UNACCEPTABLE, State.CLOSED): "Nobody waits behind this door, and {who} says so.",
    (Event.RCV_UNACCEPTABLE, None): (
        "That does not fit into the talk. {Who} only repeats what it has heard so far."
    ),
    (Event.USER_TIMEOUT, None): "{Who} has waited long enough without an answer, and gives up.",
    (Event.TIMEOUT_2MSL, None): "{Who} has waited at the door long enough, and goes.",
}
"""What a move of the machine means: by event and the state it leads to, else by event alone."""

CALLED: Final[dict[str, str]] = {
    "socket": "{Who}'s master to the keeper: \"I'll want to talk to somebody.\"",
    "bind": '{Who}\'s master: "I live at this door: {args}."',
    "listen": '{Who}\'s master: "Open the door and let visitors in by yourself."',
    "accept": '{Who}\'s master: "Show me the next visitor", and waits.',
    "connect": '{Who}\'s master: "Take me to {args}", and waits.',
    "send": '{Who}\'s master: "Tell them this ({args})."',
    "recv": '{Who}\'s master: "What did they say?", and waits.',
    "shutdown": "{Who}'s master: \"Tell them that I am done talking. I'll go on listening.\"",
    "close": '{Who}\'s master: "Say goodbye for me", and leaves the room.',
    "close-passive": '{Who}\'s master: "They are done, so am I. Say goodbye for me."',
    "close-bare": '{Who}\'s master: "I do not need this door any more."',
    "abort": '{Who}\'s master: "Throw them out!"',
}
"""By the names that :data:`tcpviz.views.explain_calls.CALLED` uses."""

RETURNED: Final[dict[str, str]] = {
    "listen": "{Who}'s keeper: \"The door is open. I'll let visitors in myself.\"",
    "accept": '{Who}\'s keeper: "Here is a visitor; it is in already."',
    "connect": "{Who}'s keeper: \"You are in.\" {Peer}'s keeper may not know it yet.",
    "connect-crossing": '{Who}\'s keeper: "You met in the doorway, and are both in."',
    "send": '{Who}\'s keeper: "I have noted it." Whether it has been said yet is another matter.',
    "recv": '{Who}\'s keeper: "They said this: {result}."',
    "recv-eof": '{Who}\'s keeper: "They are done; no more will come."',
    "shutdown": "{Who}'s keeper: \"I'll tell them.\"",
    "close": "{Who}'s keeper: \"Go, I'll see to the rest.\"",
    "close-reset": '{Who}\'s keeper: "They are thrown out."',
    "abort": '{Who}\'s keeper: "They are thrown out."',
}

FAILED: Final[dict[str, str]] = {
    "ECONNREFUSED": '{Who}\'s keeper: "Nobody receives visitors there."',
    "ETIMEDOUT": '{Who}\'s keeper: "I have called and called, and nobody answered."',
    "ECONNRESET": '{Who}\'s keeper: "They have slammed the door."',
    "EPIPE": '{Who}\'s keeper: "You cannot talk there any more."',
    "EADDRINUSE": '{Who}\'s keeper: "That door is taken."',
    "EAGAIN": '{Who}\'s keeper: "Not now; ask me again later."',
    "ENOTCONN": '{Who}\'s keeper: "You are talking to nobody."',
}
FAILED_OTHER: Final = '{Who}\'s keeper: "That cannot be done ({result})."'
TIMER: Final = "{Who} has heard nothing for too long: its patience ends."

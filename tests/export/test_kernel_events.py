"""What the kernel told at the moment, as JSON, as a line of text, on the chart and explained."""

from __future__ import annotations

import jsonschema
import pytest

from tcpviz.core.kernel_events import KernelEvent, Told
from tcpviz.core.states import State
from tcpviz.export import jsonl
from tcpviz.export.text import Story
from tcpviz.views.explain import explain_text
from tcpviz.views.explain_event import RESETS
from tcpviz.views.ladder_says import said_of
from tests.core.test_traced import CLIENT, NGINX, SERVER, A, R, Watched


def validated(step, tracker):
    made = jsonl.step_object(step, tracker)
    schema = {**jsonl.schema(), "$ref": "#/$defs/step"}
    schema.pop("oneOf", None)
    schema.pop("anyOf", None)
    jsonschema.Draft202012Validator(schema).validate(made)
    return made


def test_a_reset_with_its_reason_is_told_everywhere():
    w = Watched()
    w.handshake()
    w.sent(40, SERVER, R | A, 501, 101)
    (step,) = w.told(41, Told.RESET_SENT, SERVER, State.CLOSED, "tcp-abort-on-close", NGINX)
    made = validated(step, w.tracker)
    assert made["type"] == "event"
    assert made["event"]["reason"] == "tcp-abort-on-close"
    assert (made["event"]["process"], made["event"]["pid"]) == ("nginx", 812)
    why = "the program closed it with data that nobody had read"
    assert explain_text(step, w.connection) == (
        f"The server's kernel sends a reset ({why}). It was a call of nginx (process 812)."
    )
    story = Story(w.tracker)
    assert f"kernel: server: resets: {why}, nginx (process 812)" in story.line(step)
    ((words, role),) = said_of(step, step.connection)
    assert words.startswith("✓ server's kernel: resets: ")
    assert role == "time"


def test_a_state_s_event_says_what_it_means():
    w = Watched()
    w.handshake()
    (step,) = w.state(31, SERVER, State.LISTEN, State.SYN_RECEIVED)
    said = explain_text(step, w.connection)
    assert said.startswith(
        "The server's kernel says at this moment: from LISTEN to SYN-RECEIVED. Linux makes a socket"
    )
    validated(step, w.tracker)
    (step,) = w.state(40, CLIENT, State.FIN_WAIT_2, State.CLOSED)
    assert "time-wait socket" in explain_text(step, w.connection)


@pytest.mark.parametrize("reason", ["", "timeout", "recovery", "probe", "syn-ack", "unheard-of"])
def test_a_repetition_says_why(reason):
    w = Watched()
    w.handshake()
    (step,) = w.told(50, Told.RETRANSMIT, SERVER, State.ESTABLISHED, reason)
    said = explain_text(step, w.connection)
    assert said.startswith("The server's kernel ")
    assert "again" in said or "repeats" in said
    validated(step, w.tracker)


@pytest.mark.parametrize("reason", [*RESETS, "", "not-specified", "mptcp-rst-emptcp", "x\x1b[2J"])
def test_every_reason_of_a_reset_is_a_sentence(reason):
    w = Watched()
    w.handshake()
    (step,) = w.feed(KernelEvent(60_000, Told.RESET_SENT, SERVER, CLIENT, reason=reason))
    said = explain_text(step, w.connection)
    assert "{" not in said
    assert "\x1b" not in said
    assert ("(" in said) == (reason not in ("", "not-specified"))

"""What is to be captured: words become filters, and filters the lines that the children get."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import tcpviz
from tcpviz.core.segment import Segment
from tcpviz.sources import bpf, privileges
from tcpviz.sources.bpf import compile_for
from tcpviz.sources.expression import Predicate, compile_expression
from tcpviz.sources.helpers import Wish, commands
from tcpviz.sources.hosttable import Wanted, captured_by
from tcpviz.sources.interfaces import ANY, Interface


@dataclass(frozen=True, slots=True)
class Plan:
    """One interface: its words and, where something compiles them, its program."""

    interface: Interface
    words: str
    program: list[bpf.Instruction] | None


class LeftOut(Protocol):
    """Something of our own that is not to be captured: an SSH session, what is served."""

    @property
    def words(self) -> str:
        """A capture filter that passes exactly this."""
        ...

    def has(self, segment: Segment) -> bool:
        """Whether a segment is of it."""
        ...


class Order:
    """What passes, how much of it, and what is left out.

    ``words``     of pcap-filter(7); empty: TCP, over IPv4, IPv6 and VLANs
    ``snaplen``   bytes of each frame, 0 for all
    ``count``     end after so many packets
    ``sessions``  what is to be left out: our own SSH connections, what is served
    ``predicate`` after :meth:`plans`: what we must judge ourselves, as nothing compiles
    ``notes``     lines for the person
    """

    def __init__(
        self,
        words: str,
        snaplen: int,
        count: int | None,
        promiscuous: bool,
        sessions: Sequence[LeftOut],
    ) -> None:
        self.predicate: Predicate | None = None
        self.notes: list[str] = []
        self._words = words
        self._snaplen = snaplen
        self._count = count
        self._promiscuous = promiscuous
        self._sessions = sessions

    def plans(self, interfaces: Sequence[Interface]) -> list[Plan]:
        """For each interface. Raises SourceError where the words are wrong."""
        plans = []
        for interface in interfaces:
            words = self._words or bpf.default_words(interface.link_type)
            program: list[bpf.Instruction] | None = None
            with contextlib.suppress(bpf.NoCompilerError):
                if self._words:  # alone first, so that no parenthesis can close ours
                    compile_for(self._words, interface, self._snaplen)
                words = self._without_sessions(words)
                program = compile_for(words, interface, self._snaplen)
            plans.append(Plan(interface, words, program))
        if any(plan.program is None for plan in plans):
            self.predicate = self._judge_ourselves()
        return plans

    def _without_sessions(self, words: str) -> str:
        # In front: a "vlan" in the words moves whatever is written after it.
        own = " or ".join(session.words for session in self._sessions)
        return f"not ({own}) and ({words})" if own else words

    def _judge_ourselves(self) -> Predicate:
        wanted = compile_expression(self._words)
        sessions = self._sessions
        if self._words:
            self.notes.append(
                "filtering in tcpviz itself, which is slower; "
                "install libpcap or tcpdump to filter in the kernel"
            )
        return lambda segment: (
            wanted(segment) and not any(session.has(segment) for session in sessions)
        )

    def configurations(
        self, plans: Sequence[Plan], helper: str | None, buffer: int
    ) -> list[dict[str, Any]]:
        """The lines for the children: one for all interfaces, or one for each helper.

        ``buffer``: the kernel's receive buffer for each socket, bytes.
        """
        common = {
            "parent": os.getpid(),
            "caller": privileges.sudo_caller(),
            "application": f"tcpviz {tcpviz.__version__}",
        }
        if helper:
            # Helpers have libpcap in themselves: with words they can do what we could not.
            wishes = [
                Wish(plan.interface.name, self._words_for_helper(plan.interface)) for plan in plans
            ]
            limit = None if self.predicate else self._count
            return [
                {**common, "helper": command}
                for command in commands(helper, wishes, self._snaplen, limit, self._promiscuous)
            ]
        described = [
            {
                "name": plan.interface.name,
                "link_type": plan.interface.link_type,
                "cooked": plan.interface.cooked,
                "loopback": plan.interface.is_loopback,
                "program": self._program(plan),
                "words": "" if self.predicate else plan.words,
            }
            for plan in plans
        ]
        return [
            {
                **common,
                "interfaces": described,
                "snaplen": self._snaplen,
                "count": None if self.predicate else self._count,
                "buffer": buffer,
                "promiscuous": self._promiscuous,
            }
        ]

    def wants(self, interfaces: Sequence[Interface]) -> Wanted:
        """Which of the connections that the kernel's table has would be captured there."""
        words = self._without_sessions(self._words or "tcp")
        with contextlib.suppress(bpf.NoCompilerError):
            return captured_by(interfaces, bpf.compile_filter(words, 1, 0))
        return captured_by(interfaces, None, self.predicate)

    def _words_for_helper(self, interface: Interface) -> str:
        # A helper chooses the cooked header itself; ours may be another.
        link_type = interface.link_type if interface.link_type == 1 else 101
        if self.predicate and self._words:
            return ""
        return self._without_sessions(self._words or bpf.default_words(link_type))

    def _program(self, plan: Plan) -> list[bpf.Instruction]:
        """What the kernel is to run: the compiled words, or everything where nothing compiles."""
        program: list[bpf.Instruction] = plan.program or bpf.compile_filter("", 1, self._snaplen)
        return bpf.without_loopback_echo(program) if plan.interface == ANY else program

"""From columns to connections: what came in order by its shape, all else by the core.

The way of a flow, which ``building`` leads; what one step cannot tell the next one looks at:

``alone``      nothing but a SYN that nobody answered
``regular``    all in order, of many flows at once, on ``work``'s columns; beside it what may come
               besides: ``aftermath`` of resets, SYN,ACKs that come again (``reanswers``), several
               TTLs (``hops``), what is so in the whole of a connection (``common``), and what
               comes after a connection on the same ends (``succession``)
``lengthy``    one long connection, stretch by stretch: ``talking`` where both only go on,
               ``rounds`` where its numbers come round
``doubled``    packets that were captured twice, looked at without their ``copies``
``partly``     a part was not captured: the beginning, or one end (``partial``, ``onesided``)
``losing``     data that was lost, sent again or overtaken
``apart``      several connections on the same ends of which some are odd: each of these is
               followed alone, where no segment can be another's
``jobs``       followed by the core, here or by others (``hand``): ``briefly`` past what is plain,
               by ``skipping`` where it is long, or segment by segment (``following``)

Up to ``losing`` the core is asked of one connection of each kind: ``signatures`` tell the kinds,
``shapes`` what the core says of each, given the few segments of an example that count
(``thinning``). For all of them ``clock`` has the tracker's time, ``gaps`` what the capture lost,
``errors`` and ``reports`` what ICMP says.
"""

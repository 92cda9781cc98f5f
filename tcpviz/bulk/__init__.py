"""Captures of millions of packets: columns instead of objects, equal to the scalar core.

``segments``     a capture's bytes as columns, one row for each segment, sorted by flow
``connections``  made of them: what came in order by its shape, all else by the core
``long``         where a connection is long, the core is carried over what is plain
``brief``        where many are short, it is taken past what is plain
``spilling``     flows dealt out to disk where they are more than memory may take
``tables``       of a capture's connections: asked, sorted, sifted and looked at
``live``         of a busy link's, through a packet ring
``forks``        of a process that only reads; ``crew``: others that help beside a screen, too
``forerunner``   a process that reads, by forks, while a screen is made
"""

from tcpviz.bulk.beforehand import settle

settle()

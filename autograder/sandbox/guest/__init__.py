"""What lives beside the student's code in the sandbox: it watches, and sends plain data out.

Nothing here is trusted by anyone: the student's code shares the process and can change all of it. The care taken is
against accidents (broken objects, replaced built-ins), so that honest notebooks lose nothing; forged data is
the trusted side's concern.

What comes in: ``shell`` (IPython), ``data`` (the data sets), ``tolerance`` (what is missing here).
What is watched: ``recording`` (with ``fitting``, ``prediction``, ``compilation``, ``given``, ``eager``), ``figures``,
``outputs``. What goes out: ``export`` (with ``lookup``), ``arrays``, ``snapshots`` (with ``taking_apart``),
``errors``, ``plain``, all by ``channel``; ``session`` is what they share.
"""

"""What lives beside the student's code in the sandbox: it watches, and sends plain data out.

Nothing here is trusted by anyone: the student's code shares the process and can change all of it. The care taken is
against accidents (broken objects, replaced built-ins), so that honest notebooks lose nothing; forged data is
the trusted side's concern.
"""

"""The corpus: right and wrong submissions as code, each the reference solution but for one readable difference.

``variant`` says what a submission is and what is expected of it, ``right/`` and ``wrong/`` hold them by theme,
``grading`` grades them by the real command line and compares.
"""

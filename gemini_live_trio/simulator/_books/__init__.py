"""What is written down: for tests, for people, and to be played again.

* ``_ledger``: which messages a conversation consists of
* ``_records``, ``_replay``: recordings, made and played
* ``_log``: the log
"""

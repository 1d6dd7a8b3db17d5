"""Answers without a model, and the senses that go with them.

* ``_mind``: what is answered
* ``_hands``, ``_requests``: calling the client's functions
* ``_ears``, ``_eyes``, ``_voice``, ``_resample``: hearing, seeing, speaking
"""

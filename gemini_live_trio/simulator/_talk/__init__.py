"""The conversation on one connection.

* ``_dialogue``: what comes in, and what cuts in
* ``_answering``, ``_speaker``, ``_delivery``, ``_interpreter``: what is said, and when
* ``_calling``: the calls of one conversation
* ``_incoming``, ``_frames``: messages of the client and of the service, in few words
* ``_manner``: what is the same for all conversations of a simulator
* ``_usage``: what it is said to cost
"""

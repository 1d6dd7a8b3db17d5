"""What is legal, and what each model does: mostly data.

* ``_rules``, ``_fit``: what the service refuses, in which words
* ``_profiles``: what differs from model to model, with the source of each entry
* ``_legality``: the report, and how to go on after something illegal
* ``_refused``: how a broken rule is told
* ``_arguments``: what the calls of a test may be given
"""

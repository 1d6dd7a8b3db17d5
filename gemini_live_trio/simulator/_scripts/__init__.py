"""Scripts and commands: making the service do what a test wants.

* ``_script``: scenarios in Python; ``_steps``: the same as JSON lines
* ``_expecting``, ``_matching``, ``_inbox``: what the client should say, and what it said
* ``_commands``, ``_parameters``, ``_orders``: the faults by name
"""

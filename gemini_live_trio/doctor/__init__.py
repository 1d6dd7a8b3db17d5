"""Is everything fit? Finds out, and says what to do about what isn't.

::

    report = await examine(config, on_check=lambda check: print(check.name, check.state))
    if not report.ok: ...

It opens one session, just as a program would, and watches it on its way: name, proxy, TCP, TLS,
WebSocket, setup, an answer. So what it finds is what a program will find. Then it looks at the
devices of this machine. ``python -m gemini_live_trio doctor`` shows it.

General layout:

* ``_examine``: ``examine``, from the first check to the last
* ``_report``: what is handed back
* ``_machine``: what this machine has installed and set
* ``_way``: the way to the service, stage by stage
* ``_talk``: what is tried once there is a session
* ``_probing``: the devices, each asked by a process of its own, which is ``_devices``
"""

from ._examine import examine as examine
from ._extras import installed_extras as installed_extras
from ._report import Check as Check
from ._report import Report as Report
from ._report import State as State

__all__ = ["Check", "Report", "State", "examine", "installed_extras"]

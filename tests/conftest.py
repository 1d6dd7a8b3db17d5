"""Settings for all tests."""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=100, deadline=None)
# The same examples each time: CI judges a change, and random finds belong to whoever looks for them
# (HYPOTHESIS_PROFILE=search).
search = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", search)
settings.register_profile("ci", search, derandomize=True, max_examples=300)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)

# A shell's background job is started with Ctrl-C ignored, and what nohup starts with hang-ups too;
# tests of these would wait for them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

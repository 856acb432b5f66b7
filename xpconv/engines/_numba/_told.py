"""Say that code is being compiled: it takes seconds, in which nothing else happens."""

from __future__ import annotations

import logging
from typing import Any

from numba.core import event

_LOG = logging.getLogger("xpconv.engines.compiled")


class _Teller(event.Listener):  # type: ignore[misc]
    """Logs the first compilation of one of our functions in a process."""

    told = False

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"].py_func
        if not self.told and function.__module__.startswith("xpconv."):
            self.told = True
            _LOG.info(
                "compiling for this processor, in some 20 seconds for a network; "
                "the code is kept for later runs"
            )

    def on_end(self, event: Any) -> None:
        pass


TELLER = _Teller()
event.register("numba:compile", TELLER)

import sys

from conformance.sandbox import analyser_command, monitor
from conformance.sandbox.portal import command
from conformance.sandbox.server import main

_ALONE = {"portal": command.main, "analyser": analyser_command.main, "monitor": monitor.main}

alone = _ALONE.get(sys.argv[1]) if len(sys.argv) > 1 else None
sys.exit(main(sys.argv[1:]) if alone is None else alone(sys.argv[2:]))

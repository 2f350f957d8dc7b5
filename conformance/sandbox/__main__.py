import sys

from conformance.sandbox import monitor, server
from conformance.sandbox.portal import command

_ALONE = {"portal": command.main, "monitor": monitor.main}
alone = _ALONE.get(sys.argv[1]) if len(sys.argv) > 1 else None
sys.exit(alone(sys.argv[2:]) if alone else server.main(sys.argv[1:]))

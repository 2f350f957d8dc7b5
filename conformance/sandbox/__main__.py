import sys

from conformance.sandbox.portal import command
from conformance.sandbox.server import main

sys.exit(command.main(sys.argv[2:]) if sys.argv[1:2] == ["portal"] else main(sys.argv[1:]))

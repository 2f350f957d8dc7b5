import sys

from conformance.sandbox.server import main

sys.exit(main(sys.argv[1:]))

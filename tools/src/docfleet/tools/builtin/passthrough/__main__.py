"""The command line of the passthrough tool."""

import sys

from docfleet.tools.builtin.passthrough.tool import tool
from docfleet.tools.sdk import main

if __name__ == "__main__":
    sys.exit(main(tool))

"""The command line of the field_extractor tool."""

import sys

from docfleet.tools.builtin.field_extractor.tool import tool
from docfleet.tools.sdk import main

if __name__ == "__main__":
    sys.exit(main(tool))

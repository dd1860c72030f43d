"""The command line of the classifier tool."""

import sys

from docfleet.tools.builtin.classifier.tool import tool
from docfleet.tools.sdk import main

if __name__ == "__main__":
    sys.exit(main(tool))

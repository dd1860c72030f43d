#!/bin/sh
# A tool without Python: the protocol in a shell script.
line() { printf '{"type":"%s","emitted_at":"2026-01-01T00:00:00+00:00",%s}\n' "$1" "$2"; }
case "$2" in
SPEC) line SPEC '"spec":"{\"type\":\"object\",\"properties\":{\"word\":{\"type\":\"string\"}}}"' ;;
PROPERTIES) line PROPERTIES '"properties":"{\"functionName\":\"stamp\",\"toolVersion\":\"0.3.0\"}"' ;;
VARIABLES) line VARIABLES '"variables":"{}"' ;;
ICON) line ICON '"icon":"<svg/>"' ;;
RUN)
    line LOG '"level":"INFO","log":"stamping","stage":"TOOL_RUN"'
    cd "$EXECUTION_DATA_DIR" || exit 9
    case "$4" in
    *crash*) kill -SEGV $$ ;;
    *fail*) echo "no ink" >&2; exit 3 ;;
    *say*) line LOG '"level":"ERROR","log":"the page is torn","error_code":"corrupt_file"'; exit 1 ;;
    esac
    { printf 'stamped with %s: ' "$4"; cat SOURCE; } >INFILE.new && mv INFILE.new INFILE
    sed 's/"tool_metadata":\[/&{"tool_name":"stamp","elapsed_time":0.01,"output_type":"TXT"}/' METADATA.json >M && mv M METADATA.json
    ;;
esac

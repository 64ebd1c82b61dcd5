#!/bin/sh
# IMAGES=/data/mimic-cxr SHARDS=16 docs/jobs/parallel.sh [options of GNU parallel, such as --sshloginfile hosts]
# The log keeps what was done: run it again, and only the parts that failed or never began are started.
export MCP_CXR_STORE="${MCP_CXR_STORE:-iris}" IMAGES="${IMAGES:?}" SHARDS="${SHARDS:-16}"
seq 0 "$((SHARDS - 1))" | parallel --jobs 1 --line-buffer --tag --joblog mcp-cxr.log --resume-failed \
    --env MCP_CXR_STORE --env IMAGES --env SHARDS "$@" 'mcp-cxr ingest "$IMAGES" --shard {}/"$SHARDS"'

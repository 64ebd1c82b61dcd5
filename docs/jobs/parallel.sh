#!/bin/sh
# IMAGES=/data/mimic-cxr SHARDS=16 docs/jobs/parallel.sh [options of GNU parallel, such as --sshloginfile hosts]
# The log keeps what was done: run it again, and only the parts that failed or never began are started.
# One part at a time on each host; --jobs 4 for four. Another host takes IRIS_HOST, IRIS_USERNAME, IRIS_PASSWORD,
# MCP_CXR_ID_KEY_FILE and the embedder's settings from its own environment: a password on a command line could be read.
export MCP_CXR_STORE="${MCP_CXR_STORE:-iris}" IMAGES="${IMAGES:?names no folder}" SHARDS="${SHARDS:-16}"
seq 0 "$((SHARDS - 1))" | parallel --jobs 1 --line-buffer --tag --joblog mcp-cxr.log --resume-failed \
    --env MCP_CXR_STORE --env IMAGES --env SHARDS "$@" 'mcp-cxr ingest "$IMAGES" --shard {}/"$SHARDS"'

#!/bin/sh
#SBATCH --job-name=mcp-cxr
#SBATCH --array=0-15
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
# sbatch --export=ALL,IMAGES=/data/mimic-cxr docs/jobs/slurm.sh
# The array may have any size, from 0. On TERM, two minutes before the time limit, a task ends after the batch in hand, with
# exit code 1. It goes on from there, as does a task that was killed, with: scontrol requeue JOB_TASK
# Or submit the whole array again: images that are stored are skipped.
export MCP_CXR_STORE="${MCP_CXR_STORE:-iris}"
exec mcp-cxr ingest "${IMAGES:?names no folder}" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --workers "${SLURM_CPUS_PER_TASK:-1}"

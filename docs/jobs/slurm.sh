#!/bin/sh
#SBATCH --job-name=mcp-cxr
#SBATCH --array=0-15
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
# sbatch --export=ALL,IMAGES=/data/mimic-cxr docs/jobs/slurm.sh
# The array may have any size, from 0. On TERM a task ends after the batch in hand; the same line goes on from there.
export MCP_CXR_STORE="${MCP_CXR_STORE:-iris}"
exec mcp-cxr ingest "$IMAGES" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --workers "${SLURM_CPUS_PER_TASK:-1}"

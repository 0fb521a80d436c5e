#!/usr/bin/env bash
# One search on a Slurm allocation, with a Ray cluster that ends with the job. From the project's root:
#   sbatch nas/launch/clusters/slurm.sh runs/digits.py --set trials.seeds=8
# To continue after the time limit, submit it again with --resume and the same RUN:
#   RUN=digits-1 sbatch nas/launch/clusters/slurm.sh runs/digits.py --resume
#SBATCH --job-name=nas
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
set -euo pipefail

recipe=${1:?"usage: sbatch slurm.sh RECIPE [ARGUMENTS OF nas search]"}
shift
run=${RUN:-$(basename "$recipe" .py)-$SLURM_JOB_ID}
# A folder on a shared disk, or the URI of a bucket.
storage=${STORAGE:-$HOME/nas-runs}
port=$((20000 + SLURM_JOB_ID % 10000))

source .venv/bin/activate
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# On shared machines, other users could run code as you without the token.
export RAY_AUTH_TOKEN_PATH=$HOME/.ray/nas-$SLURM_JOB_ID.token
(
    umask 077
    mkdir -p "$HOME/.ray"
    python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$RAY_AUTH_TOKEN_PATH"
)
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}'):$port

ray_start() {
    local node=$1
    shift
    # Each job needs its own folder with a short path, because paths of sockets are limited.
    srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" \
        ray start --block --num-cpus="$SLURM_CPUS_PER_TASK" --temp-dir="/tmp/ray-$SLURM_JOB_ID" "$@" &
}

ray_start "$head" --head --node-ip-address="${address%:*}" --port="$port" --include-dashboard=false
until ray status --address="$address" >/dev/null 2>&1; do
    sleep 2
done
for node in "${nodes[@]:1}"; do
    ray_start "$node" --address="$address"
done

nas search "$recipe" --address "$address" --out "${TMPDIR:-/tmp}/$SLURM_JOB_ID/$run" --storage "$storage" "$@"

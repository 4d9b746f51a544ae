#!/usr/bin/env bash
# Runs before the job of a runner that was made for one order, as `ACTIONS_RUNNER_HOOK_JOB_STARTED`: the job goes on if it is of the
# repository and the run that ordered the runner, and fails with a sentence otherwise. Labels are public, so a job of somebody
# else can have the same. It runs as the user of the job and so keeps nobody from anything who has the runner already.
#
# `.order` in the runner's root has two lines, `repository=OWNER/NAME` and `run=NUMBER`, which is empty if the run is not known.
# A unit that waits for the job is told that there is one.
set -euo pipefail
export LC_ALL=C

fail() {
    echo "::error::$1"
    exit 1
}

order=${RUNNER_ROOT-}/.order repository='' run=''
[[ -r $order ]] || fail "This runner does not know whom it was made for: its file .order cannot be read. Tell who operates it"
while IFS='=' read -r name value; do
    case $name in
        repository) repository=$value ;;
        run) run=$value ;;
    esac
done < "$order"

# GitHub does not tell upper from lower case in names.
here=${GITHUB_REPOSITORY-} job=${GITHUB_RUN_ID-}
if [[ -z $repository || ${here,,} != "${repository,,}" || (-n $run && $job != "$run") ]]; then
    fail "This runner was ordered for run ${run:-(any)} of ${repository:-nobody}, and this job is of run $job of $here. \
Order a runner for each job, with a label that no other one has"
fi
if [[ -n ${NOTIFY_SOCKET-} ]]; then
    systemd-notify --ready || fail "The machine of this runner cannot be told that its job has begun: systemd-notify failed"
fi

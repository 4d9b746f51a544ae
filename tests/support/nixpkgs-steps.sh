# The three steps that nixpkgs' module runs before a runner, written down from what they
# are documented to do, so that there is something to compare with.
#
# Each part below a `#@ NAME` line is a script and a process of its own, called as
# `bash NAME.sh STATE WORK LOGS`; `nixpkgs_steps.rs` cuts them apart and fills in @CONFIG@, @TOKEN@
# and @LISTENER@, as Nix does. Only the way of an unchanged start is ever run.

#@ unconfigure
set -euo pipefail
state=$1 work=$2 logs=$3
config=@CONFIG@
token=@TOKEN@

copy_tokens() {
  install --mode=666 "$token" "$state/.new-token"
  install --mode=600 "$token" "$state/.current-token"
}

if [[ -z "$(ls -A "$state")" ]]; then
  copy_tokens
else
  changed=
  diff -q "$config" "$state/.nixos-current-config.json" > /dev/null 2>&1 || changed=1
  diff -q "$state/.current-token" "$token" > /dev/null 2>&1 || changed=1
  if [[ -n $changed ]]; then
    echo "Config has changed, removing old runner state."
    echo "The old runner will still appear in the GitHub Actions UI. You have to remove it manually."
    find -H "$state" -mindepth 1 -delete
    copy_tokens
  fi
fi
find -H "$work" -mindepth 1 -delete

#@ configure
set -euo pipefail
state=$1 work=$2 logs=$3
if [[ -e "$state/.new-token" ]]; then
  echo "Configuring GitHub Actions Runner"
  @LISTENER@ configure --unattended --disableupdate --work "$work" --token "$(<"$state/.new-token")"
  mv "$state/_diag" "$logs/"
  rm "$state/.new-token"
  ln -s @CONFIG@ "$state/.nixos-current-config.json"
fi

#@ setup-work-dirs
set -euo pipefail
state=$1 work=$2 logs=$3
ln -s "$logs" "$work/_diag"
ln -s "$state"/{.credentials,.credentials_rsaparams,.runner} "$work/"

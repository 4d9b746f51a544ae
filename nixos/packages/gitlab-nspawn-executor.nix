# The executor for jobs of GitLab, built from this repository: one program that is driver, supervisor
# and agent. The agent runs in machines of any image, where no library of this system is.
{
  lib,
  rustPlatform,
  stdenv,
}:

import ./static.nix { inherit lib rustPlatform stdenv; } {
  pname = "gitlab-nspawn-executor";
  feature = "gitlab";
  check = "config --settings ${../../tests/fixtures/gitlab-nspawn-settings.json}";
  meta.description = "Runs jobs of GitLab in systemd-nspawn machines of their own";
}

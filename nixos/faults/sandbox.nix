# What cannot work, or makes jobs root, of what a runner's sandbox is to open. A pure
# function over values.
{ lib }:

{ tell, ... }:

{ runner, merged, ... }:

let
  inherit (runner.sandbox) namespaces sudo;
  opened = lib.optional namespaces "sandbox.namespaces" ++ lib.optional sudo "sandbox.sudo";
in
tell (opened != [ ] && merged.isOn "DynamicUser")
  "`${lib.concatStringsSep "` and `" opened}` cannot work with a dynamic user, whom systemd never lets do that. Set `createUser = true`, or `user` to one that exists."
++
  tell (sudo && !runner.trustJobsLikeRoot)
    "`sandbox.sudo` makes each job root on this host, which can read the tokens of all runners. If every job may do what root may, set `trustJobsLikeRoot = true`, too."

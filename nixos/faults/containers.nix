# What cannot work, or makes jobs root, of the engine of containers that a runner's jobs are to have. A pure
# function over values.
{
  # `users.users` of the host.
  users,
}:

{ tell, ... }:

{
  runner,
  merged,
  user,
  ...
}:

let
  inherit (runner.containers) engine group socket;
  isPodman = engine == "podman";
  isDocker = engine == "docker";
  isStatic = !merged.isOn "DynamicUser" && user != null;

  account = users.${toString user} or null;
  hasIds =
    account == null
    || account.autoSubUidGidRange or false
    || (account.subUidRanges or [ ] != [ ] && account.subGidRanges or [ ] != [ ]);

  matches = pattern: text: builtins.match pattern text != null;
  hidden = "/(home|root|tmp|var/tmp|run/(dbus|systemd|user)|run/github-runner[^/]*)/.*";
in
{
  refused =
    tell (isPodman && !isStatic)
      "`containers.engine = \"podman\"` needs a user who has subordinate ids, which a dynamic one never has. Set `createUser = true`, or `user` to one that exists."
    ++
      tell (isPodman && isStatic && merged.runsAsRoot)
        "`containers.engine = \"podman\"` is for containers without root, but its jobs run as root. Set `createUser = true`, or `user` to another one."
    ++
      tell (isPodman && isStatic && !merged.runsAsRoot && !hasIds)
        "`containers.engine = \"podman\"` needs subordinate ids, and `${user}` has none. Set `users.users.${user}.autoSubUidGidRange = true`."
    ++
      tell (isPodman && !merged.isOn "PrivateTmp")
        "`containers.engine = \"podman\"` shares `/tmp` and `/var/tmp` of the runner, where others could put what the engine reads, but an override takes `PrivateTmp` away. Remove it."
    ++
      tell
        (
          isDocker
          && (
            !matches "(/[A-Za-z0-9_.@+=,-]+)+" socket
            || matches ".*/\\.\\.?(/.*)?" socket
            || matches hidden socket
          )
        )
        "`containers.socket` (${builtins.toJSON socket}) is no absolute path of plain parts, or lies where jobs see another directory or none. Give the place of the engine's socket, which is `/run/docker.sock` for docker and `/run/podman/podman.sock` for podman as root."
    ++
      tell (isDocker && !matches "[^\"'%:/\\[:cntrl:][:space:]]+" group)
        "`containers.group` (${builtins.toJSON group}) cannot be the name of a group. Give the one to which the socket belongs.";

  warnings =
    tell (isDocker && !runner.trustJobsLikeRoot)
      "its jobs can become root, because `containers.engine` is \"docker\", and whoever may use that socket is root. Use \"podman\", which is not; or set `trustJobsLikeRoot = true`, and this is not said again.";
}

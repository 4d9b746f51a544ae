# What is wrong with nodes and groups that a runner's jobs are to have, the first fault
# of each to name first. A pure function over values.
{ lib }:

{ tell, unlessTrusted }:

runner:

let
  matches = pattern: text: builtins.match pattern text != null;

  # Of these a job could take what belongs to others, or leave something there.
  shared = "/dev/(hugepages|mqueue|pts|shm)(/.*)?";
  # By which whoever opens them reads or changes all that the host holds.
  memory = "/dev/(core|kmem|mem|port)";
  disk = "/dev/((block|bsg|disk|mapper|md|raw|zvol)/.*|(hd|sd|vd|xvd)[a-z][a-z0-9]*|(dm-|loop|md|mmcblk|nbd|nvme|sg|zd)[0-9].*)";

  faultsOf =
    path:
    let
      what = "`devices` (${builtins.toJSON path})";
    in
    if !lib.hasPrefix "/dev/" path || matches "/dev/+" path then
      tell true "${what} is not below `/dev`. Give the path of a node there; for other files see `BindPaths` in `serviceOverrides`."
    else if matches ".*/\\.\\.?(/.*)?" path then
      tell true "${what} holds `.` or `..` as a part, so nobody can tell which node is meant. Write the path without it."
    else if !matches "(/[A-Za-z0-9_.@+=,-]+)+" path then
      tell true "${what} holds an empty part or a character that systemd reads differently in different places. Give another name of the node, which may be a link that a rule of udev makes."
    else if matches shared path then
      tell true "${what} is no node of a driver, but a place that all of the host shares. Remove it; the unit has its own."
    else if matches memory path then
      unlessTrusted true "${what} is memory of the kernel or of all processes, so its jobs would be as good as root. Remove it."
    else if matches disk path then
      unlessTrusted true "${what} is a disk or a part of one, so its jobs could read and change every file on it. Remove it; give jobs a directory by `BindPaths` in `serviceOverrides`."
    else
      [ ];

  groupFaultsOf =
    group:
    tell (!matches "[^\"'%:/\\[:cntrl:][:space:]]+" group)
      "`deviceGroups` (${builtins.toJSON group}) cannot be the name of a group. Give the name that `users.groups` has for it.";
in
lib.concatMap faultsOf (lib.unique runner.devices)
++ lib.concatMap groupFaultsOf (lib.unique runner.deviceGroups)

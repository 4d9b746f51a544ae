# Nodes of drivers in a unit that has a /dev of its own. `PrivateDevices=` stays, so that
# these and no others appear there; `DeviceAllow=` alone would allow what is not there.
# A pure function over values.
{
  lib,
  # `users.groups` of the host.
  groups,
}:

runner:

let
  paths = lib.unique (runner.devices ++ lib.optional runner.kvm "/dev/kvm");
  named = lib.unique runner.deviceGroups;
in
{
  lists = {
    # The dash lets the unit start where a node is missing.
    BindPaths = map (path: "-${path}") paths;
    DeviceAllow = map (path: "${path} rw") paths;
    SupplementaryGroups = lib.unique (named ++ lib.optional (runner.kvm && groups ? kvm) "kvm");
  };
  may = paths ++ map (group: "group ${group}") named;
}

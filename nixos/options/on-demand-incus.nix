# What the instances of Incus or LXD of a class of runners on demand are.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  limit =
    example: description:
    mkOption {
      type = types.nullOr types.str;
      default = null;
      inherit example;
      description = "${description} `null` leaves it to the profiles.";
    };
in
{
  options = {
    socket = mkOption {
      type = types.path;
      default = "/var/lib/incus/unix.socket";
      example = "/var/snap/lxd/common/lxd/unix.socket";
      description = ''
        Socket of the server. Whoever can use it owns this host, so it is the desk's alone; no job reaches it.
      '';
    };

    project = mkOption {
      type = types.str;
      default = "default";
      example = "runners";
      description = "Project in which instances are made.";
    };

    image = mkOption {
      type = types.str;
      example = "runner";
      description = "Image: an alias, or the beginning of a fingerprint. It needs a runner, see the manual.";
    };

    profiles = mkOption {
      type = types.listOf types.str;
      default = [ "default" ];
      description = "Profiles in the order in which they apply.";
    };

    virtualMachine = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether it is a virtual machine, whose jobs have a kernel of their own. A container shares that of the host.
      '';
    };

    cpu = limit "4" "Processors of an instance (`limits.cpu`).";

    memory = limit "8GiB" "Memory of an instance (`limits.memory`).";

    disk = limit "40GiB" "Size of its root disk.";
  };
}

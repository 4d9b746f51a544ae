# Which drivers of the kernel jobs can talk to.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options = {
    devices = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "/dev/net/tun"
        "/dev/fuse"
      ];
      description = ''
        Opens: jobs can talk to the drivers of these nodes below `/dev`, to read and to write.

        The others stay away. Each is a node, not a directory; one that the host does not have does no harm. Who may open a
        node is a matter of its owner, its group and its mode, too, so see {option}`deviceGroups`. Memory of the kernel and
        whole disks are refused unless {option}`trustJobsLikeRoot` is on.
      '';
    };

    deviceGroups = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "video"
        "render"
      ];
      description = ''
        Opens: jobs can do what members of these groups can, for example open a node of {option}`devices` that belongs to one.

        The groups have to exist, or the unit does not start.
      '';
    };

    kvm = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: jobs can talk to the driver of `/dev/kvm`, so that they run virtual machines at full speed.

        It stands for `devices = [ "/dev/kvm" ]`, with the group `kvm` if `users.groups` of the host has one.
        `github-runnerctl doctor` tells if the host has no such node, so that nobody wonders why virtual machines are slow. Tests of NixOS
        do not need it: the Nix daemon builds them, and has the node.
      '';
    };
  };
}

# What runners may use of the machine: the limits that most want, and any other in
# systemd's words. faults/entry.nix refuses words that are no limits.
#
# `whose` follows "of".
whose:

{ lib, ... }:

let
  inherit (lib) mkOption types;

  scalar = types.either types.bool (types.either types.int types.str);
in
{
  freeformType = types.attrsOf (types.nullOr (types.either scalar (types.listOf types.str)));

  options = {
    memoryMax = mkOption {
      type = types.nullOr (types.either types.ints.positive types.str);
      default = null;
      example = "8G";
      description = ''
        Memory of ${whose}, in bytes or with a suffix as in {manpage}`systemd.resource-control(5)` (`MemoryMax=`). Above
        it the kernel kills processes, so a job fails and not the host. `null` sets no limit.
      '';
    };

    cpuWeight = mkOption {
      type = types.nullOr (types.ints.between 1 10000);
      default = null;
      example = 20;
      description = ''
        Share in the processors of ${whose}, compared with its neighbours, as long as there is not enough for all
        (`CPUWeight=`). `null` leaves it at systemd's 100.
      '';
    };

    tasksMax = mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      example = 4096;
      description = ''
        Processes and threads of ${whose} (`TasksMax=`). Above it jobs cannot start another one. `null` leaves it at
        systemd's default.
      '';
    };
  };
}

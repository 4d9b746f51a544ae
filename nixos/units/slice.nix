# The slice in which all runners of one entry are, and what they may use of the
# machine together. A pure function, like runner.nix.
{ lib }:

let
  inherit (import ./order.nix { inherit lib; }) yielding;
  inherit (import ./syntax.nix) namePart;

  # Options of limits by the names that systemd.resource-control(5) has for them.
  named = {
    MemoryMax = "memoryMax";
    CPUWeight = "cpuWeight";
    TasksMax = "tasksMax";
  };

  # By systemd.resource-control(5) and systemd.exec(5), each alone: systemd ignores what it
  # does not know, and the limit would not be there.
  ofGroups = [
    "AllowedCPUs"
    "AllowedMemoryNodes"
    "CPUAccounting"
    "CPUQuota"
    "CPUQuotaPeriodSec"
    "CPUWeight"
    "DefaultMemoryLow"
    "DefaultMemoryMin"
    "DefaultStartupMemoryLow"
    "IOAccounting"
    "IODeviceLatencyTargetSec"
    "IODeviceWeight"
    "IOReadBandwidthMax"
    "IOReadIOPSMax"
    "IOWeight"
    "IOWriteBandwidthMax"
    "IOWriteIOPSMax"
    "ManagedOOMMemoryPressure"
    "ManagedOOMMemoryPressureDurationSec"
    "ManagedOOMMemoryPressureLimit"
    "ManagedOOMPreference"
    "ManagedOOMSwap"
    "MemoryAccounting"
    "MemoryHigh"
    "MemoryLow"
    "MemoryMax"
    "MemoryMin"
    "MemorySwapMax"
    "MemoryZSwapMax"
    "MemoryZSwapWriteback"
    "StartupAllowedCPUs"
    "StartupAllowedMemoryNodes"
    "StartupCPUWeight"
    "StartupIOWeight"
    "StartupMemoryHigh"
    "StartupMemoryLow"
    "StartupMemoryMax"
    "StartupMemorySwapMax"
    "StartupMemoryZSwapMax"
    "TasksAccounting"
    "TasksMax"
  ];
  ofProcesses = [
    "LimitAS"
    "LimitCORE"
    "LimitCPU"
    "LimitDATA"
    "LimitFSIZE"
    "LimitLOCKS"
    "LimitMEMLOCK"
    "LimitMSGQUEUE"
    "LimitNICE"
    "LimitNOFILE"
    "LimitNPROC"
    "LimitRSS"
    "LimitRTPRIO"
    "LimitRTTIME"
    "LimitSIGPENDING"
    "LimitSTACK"
  ];

  # What is given in systemd's words.
  further = limits: removeAttrs limits (builtins.attrValues named ++ [ "pool" ]);

  # What is not set stays away.
  directives =
    limits:
    lib.filterAttrs (_: value: value != null) (
      further limits // builtins.mapAttrs (_: option: limits.${option}) named
    );
in
{
  inherit directives;

  # What is wrong with them, the first fault to name first. `where` is the option.
  faults =
    where: limits:
    lib.concatMap (
      name:
      let
        isOfUnits = builtins.elem name ofProcesses;
        isLimit = builtins.elem name ofGroups;
      in
      [
        {
          fault = !isLimit && !isOfUnits;
          message = "`${where}.${name}` is no limit of systemd.resource-control(5) or systemd.exec(5). Correct the name; directives of other kinds belong into `serviceOverrides`.";
        }
        {
          fault = isOfUnits && where != "resources";
          message = "`${where}.${name}` is one of single processes, which a slice cannot have. Set it in `resources`.";
        }
        {
          fault = named ? ${name} && limits.${named.${name}} != null;
          message = "`${where}.${name}` and `${where}.${named.${name}}` are two names of one. Remove one of them.";
        }
      ]
    ) (builtins.attrNames (lib.filterAttrs (_: value: value != null) (further limits)));

  # Without `.slice`. A dash in a slice's name means "below": this one lies in
  # `github-runners.slice`, and that one in `github.slice`. A dash of the entry's
  # own must not.
  name = entry: "github-runners-${namePart entry}";

  unit = entry: runner: {
    description = yielding "GitHub Actions runners of ${entry}";
    # To stop a slice is to stop all that is in it. Of an entry that was removed
    # there may be runners that are to finish their jobs first.
    unitConfig.X-StopOnRemoval = yielding false;
    sliceConfig = builtins.mapAttrs (_: yielding) (directives runner.resources.pool);
  };
}

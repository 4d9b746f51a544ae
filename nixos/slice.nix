# The slice in which all runners of one entry are, and what they may use of the
# machine together. A pure function, like service.nix.
{ lib }:

let
  inherit (import ./unit-syntax.nix) namePart;

  # Limits as systemd.resource-control(5) names them; what is not set stays away.
  directives =
    {
      memoryMax,
      cpuWeight,
      tasksMax,
      ...
    }:
    lib.filterAttrs (_: value: value != null) {
      MemoryMax = memoryMax;
      CPUWeight = cpuWeight;
      TasksMax = tasksMax;
    };
in
{
  inherit directives;

  # Without `.slice`. A dash in a slice's name means "below": this one lies in
  # `github-runners.slice`, and that one in `github.slice`. A dash of the entry's
  # own must not.
  name = entry: "github-runners-${namePart entry}";

  unit = entry: runner: {
    description = "GitHub Actions runners of ${entry}";
    # To stop a slice is to stop all that is in it. Of an entry that was removed
    # there may be runners that are to finish their jobs first.
    unitConfig.X-StopOnRemoval = false;
    sliceConfig = directives runner.resources.pool;
  };
}

# Own commands around the steps of a unit, and in their place.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  # Before the path systemd takes signs for the rights of a command, which are the step's.
  line = types.strMatching "/[^[:cntrl:]]*";
  mayFail = types.strMatching "-?/[^[:cntrl:]]*";

  step.options = {
    before = mkOption {
      type = types.listOf mayFail;
      default = [ ];
      example = [ "/run/current-system/sw/bin/logger 'a runner starts'" ];
      description = ''
        Command lines that run right before the step, as its user and with its rights. If one fails, neither the step nor
        what comes after it runs, unless its line starts with `-`.
      '';
    };

    after = mkOption {
      type = types.listOf mayFail;
      default = [ ];
      description = ''
        Command lines that run right after the step, if it succeeded, as those of {option}`before` do.
      '';
    };

    wrapper = mkOption {
      type = types.nullOr line;
      default = null;
      example = "/run/current-system/sw/bin/strace --output=/root/prepare.strace --follow-forks";
      description = ''
        Command line that runs in the place of the step and gets the step's own command line as further arguments. It has to
        run that, and to end with its exit code.
      '';
    };

    command = mkOption {
      type = types.nullOr line;
      default = null;
      description = ''
        Command line that takes the place of the step. What the step promises is then yours to keep, and an evaluation tells
        what that is; docs/registration.md has it in "Own steps".
      '';
    };
  };
in
{
  options.steps = mkOption {
    type = types.attrsOf (types.submodule step);
    default = { };
    example.prepare.after = [ "/run/current-system/sw/bin/logger 'a runner is prepared'" ];
    description = ''
      Opens: with all but `configure`, what you run is root on this host, outside of the unit's sandbox.

      What runs around the steps of the unit, or in their place. The steps are `prepare`, `configure` and `record` of a start,
      `release` of a stop and `settle` of each end; docs/registration.md says what each does. Lines are those of
      {manpage}`systemd.service(5)`, with an absolute path first. All but `configure` run as root where jobs have left files:
      open nothing by a path below work or state directory. `configure` runs as the unit's user, in the sandbox.

      A line is killed after the time that the unit has for a step: 15 minutes in a start, 30 seconds in a stop or an end. A line
      that fails stops a start, which is tried again.
    '';
  };
}

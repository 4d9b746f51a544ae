# How many runners an entry makes, what they may use of the machine, and how
# they meet a change of the configuration.
{ lib, config, ... }:

let
  inherit (lib) literalExpression mkOption types;

  limits = import ./limits.nix;
in
{
  options = {
    count = mkOption {
      type = types.ints.positive;
      default = 1;
      example = 4;
      description = ''
        How many runners this entry makes. With more than one their instances are `‹name›-1`, `‹name›-2` and so on, and
        there is none without a number. Each has its own unit, registration and directories. The number is also added to
        {option}`name` and, as a directory, to {option}`workDir`.

        From 1 to more and back gives all of them other names, so they register anew. Any other change leaves the ones
        alone that stay.
      '';
    };

    orgs = mkOption {
      type = types.attrsOf (types.submodule (import ./org.nix { inherit (config) count; }));
      default = { };
      example = literalExpression ''
        {
          octo-org = { };
          example = {
            login = "octo-org/example";
            count = 2;
          };
        }
      '';
      description = ''
        Accounts that this entry has runners for, with one credential: an App that all of them installed, or a token with
        access to all. An account may have a token of its own instead. The instances are `‹name›-‹org›-1` and so on, also
        where there is only one. {option}`url` then is the page of the server, and can be left out for github.com.
      '';
    };

    restartPolicy = mkOption {
      type = types.nullOr (
        types.enum [
          "when-idle"
          "immediate"
          "never"
        ]
      );
      default = null;
      example = "immediate";
      description = ''
        What becomes of a running runner when a switch changes or removes it:

        - `when-idle`: the switch leaves it alone. `github-runner-reconcile.service` restarts or stops it between two jobs.
        - `immediate`: the switch restarts or stops it, and a running job fails.
        - `never`: the switch leaves it alone, and a change takes effect when somebody restarts it, or the host boots. A runner
          that is not configured any more is stopped between two jobs all the same.

        `null` stands for `when-idle`, and for `immediate` where nobody could find such a moment: with
        `tokenType = "registration"`, because such a token cannot ask GitHub whether the runner is idle, and without
        {option}`services.github-runnerctl.reconcile.enable`.
      '';
    };

    drainTimeout = mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      example = 7200;
      description = ''
        Seconds after which a restart that is due waits no longer for the job of the runner. **It then ends the job**, which
        fails. `null` waits for as long as the job takes.
      '';
    };

    resources = mkOption {
      type = types.submodule {
        imports = [ (limits "each runner") ];
        options.pool = mkOption {
          type = types.submodule (limits "all runners of this entry together");
          default = { };
          example = {
            memoryMax = "48G";
          };
          description = ''
            Limits of all runners of this entry together, as directives of their slice, with the same names.
          '';
        };
      };
      default = { };
      example = {
        memoryMax = "8G";
        MemoryHigh = "7G";
        LimitNOFILE = 65536;
      };
      description = ''
        What runners may use of the machine. Beside the options below every limit of {manpage}`systemd.resource-control(5)`
        can be given by the name that it has there, and for each runner also a `Limit…=` of {manpage}`systemd.exec(5)`;
        other directives are refused. {option}`serviceOverrides` wins.
      '';
    };
  };

  # What the accounts are added to. Without accounts there is no page to guess.
  config.url = lib.mkIf (config.orgs != { }) (lib.mkDefault "https://github.com");
}

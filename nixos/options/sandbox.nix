# Which parts of a unit's sandbox are open for classic workflows.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.sandbox = {
    namespaces = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: jobs can make namespaces, mount in them, and set setuid and setgid bits, as in any login of the host.

        FHS environments (bubblewrap), Chromium's own sandbox and `git init --shared` need this. The kernel interfaces behind it
        have had holes more often than others. It needs a static {option}`user` or {option}`createUser`.
      '';
    };

    sudo = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: a job that may use `sudo` is root on this host, and can read the tokens of all runners.

        Who may use it, and for what, stays a matter of `security.sudo`: without a rule for the unit's user, nobody may.
        This needs a static {option}`user` or {option}`createUser`, and is refused unless {option}`trustJobsLikeRoot` is on.
      '';
    };

    umask = mkOption {
      type = types.nullOr (types.strMatching "0?0[0-7][0-7]");
      default = null;
      example = "0022";
      description = ''
        Opens: other users can read what jobs make, as far as they get into its directory, which others than the unit's user do
        not with the default {option}`workDirMode`.

        Mask of permissions for new files (`UMask=`). Images of containers and mounted checkouts are the usual reason, because
        their users are other ones. `null` stands for `0066`.
      '';
    };
  };
}

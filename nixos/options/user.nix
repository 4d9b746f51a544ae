# A user of the runner's own that exists while it does not run, and what outlives a job.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options = {
    createUser = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: what a job leaves in its home, the next one finds there.

        The user and the group `github-runner-‹name›` are made, in the place of {option}`user` and {option}`group`, with the
        home {file}`/var/lib/github-runner-home/‹name›` on disk. `HOME` of jobs is this home and not the work directory.
        It stays when the entry goes.
      '';
    };

    cacheDirectory = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/var/cache/ci";
      description = ''
        Opens: what one job writes in this directory, the next one runs.

        It is made and given to the unit's user, and never emptied. `RUNNER_TOOL_CACHE`, `AGENT_TOOLSDIRECTORY` and
        `XDG_CACHE_HOME` of jobs lie in it, so that `setup-*` actions and package managers keep what they download. It needs a
        static {option}`user` or {option}`createUser`. All runners of the entry share it, and so can entries with the same user: use one for each degree of
        trust. After a change of the user, remove it or give all that is in it to the new one.
      '';
    };

    cleanWorkDir = mkOption {
      type = types.enum [
        "start"
        "never"
      ];
      default = "start";
      example = "never";
      description = ''
        Opens, with `never`: what one job writes in its checkouts, caches and home, the next one runs, also after a restart.

        Whether a start empties the work directory. With `never` checkouts and what `actions/cache` and tools keep there stay.
        It needs a {option}`workDir`, because the default one is in memory and gone when the unit ends, and a static
        {option}`user` or {option}`createUser`. Owner and mode of the directory are set at every start as ever.

        Three starts empty it all the same and say why, because no job gets files of others: the first one, or one without the
        ledger; one with another {option}`user`; and one with another {option}`url`. A full disk is yours to empty, see
        {option}`minFreeSpace`.
      '';
    };
  };
}

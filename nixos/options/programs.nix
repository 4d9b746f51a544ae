# Which programs jobs find, and what runs around each job.
{ lib, ... }:

let
  inherit (lib) mkOption types;

  hook = moment: example: opens: {
    type = types.nullOr types.lines;
    default = null;
    inherit example;
    description = ''
      ${opens}

      Lines of bash that run ${moment}, as the user of the job and with its rights, so that a job can also keep them from their
      work. If they fail, the job fails. They are a file of the store, so put no secret here.
    '';
  };
in
{
  options = {
    programs = mkOption {
      type = types.enum [
        "minimal"
        "hosted"
      ];
      default = "minimal";
      example = "hosted";
      description = ''
        Opens: with `hosted`, jobs find the programs that workflows for GitHub's own machines take for granted.

        These are ssh, curl, wget, rsync, zip, unzip, bzip2, xz, zstd, jq, awk, patch, diff, file, which, ps, make, python3 and
        util-linux. They come after {option}`extraPackages`, so yours win. `minimal` has a shell, coreutils, git, tar, gzip and Nix.
        Programs that jobs download, for example by `setup-node`, need `programs.nix-ld` of the host.
      '';
    };

    hooks.jobStarted = mkOption (
      hook "before each job" "rm -rf /tmp/cache-of-the-last-job"
        "Opens nothing: what is told here is done in front of each job."
    );

    hooks.jobCompleted = mkOption (
      hook "after each job" "df --human-readable ."
        "Opens nothing: what is told here is done at the end of each job, also of one that failed."
    );
  };
}

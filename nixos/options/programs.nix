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
        Programs that jobs download, for example by `setup-node`, need {option}`hostedToolchains`.
      '';
    };

    hostedToolchains = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Opens: programs that were built for other systems start on the whole host, and not for these jobs alone.

        So work languages that `setup-node`, `setup-java`, `setup-dotnet` and others download. It turns `programs.nix-ld` of
        the host on, and adds the libraries to it that such languages are linked with; for others there is
        `programs.nix-ld.libraries`. Actions that have builds for named systems only, as `setup-python` and `setup-ruby`,
        do not know NixOS: take these languages from {option}`extraPackages`.
      '';
    };

    nodeAliases = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        node20 = "node24";
      };
      description = ''
        Opens nothing: JavaScript actions that ask for one Node.js are run by another one that {option}`package` has.

        The name is what an action has in `runs.using`, and takes the place of what the package may have there. The package is
        not built anew; it has to be laid out as that of nixpkgs, with Node.js in `lib/externals`. Whether an action works with
        another Node.js is its own affair. Actions in a `container:` do not see this.
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

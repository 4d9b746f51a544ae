# Names under which JavaScript actions find a Node.js of the runner's package. A package is not built anew
# for that: its directory of them is covered, in the unit alone, by one with the same content and
# the names besides. A pure function over values and packages.
{ lib, pkgs }:

runner:

let
  aliases = runner.nodeAliases;

  # Where nixpkgs' package has them, beside the directory of its programs, by which the runner finds them.
  place = "${runner.package}/lib/externals";

  alias = name: target: ''
    rm -rf ${name}
    ln -s ${target} ${name}
  '';
  check = name: target: ''
    if [ ! -x ${name}/bin/node ]; then
        echo "nodeAliases of runner ${runner.pool}: ${name} is to be ${target}, but ${place}/${target} is no Node.js"
        exit 1
    fi
  '';
  externals = pkgs.runCommand "github-runner-${runner.pool}-externals" { } (
    ''
      if [ ! -d ${place} ]; then
          echo "nodeAliases of runner ${runner.pool}: there is no ${place}, so its package is not laid out as that of nixpkgs"
          exit 1
      fi
      cp -a ${place} "$out"
      chmod -R u+w "$out"
      cd "$out"
    ''
    + lib.concatStrings (lib.mapAttrsToList alias aliases ++ lib.mapAttrsToList check aliases)
  );
in
{
  lists.BindReadOnlyPaths = lib.optional (aliases != { }) "${externals}:${place}";
  # For nobody to read: Nix keeps what the variables of a process name, and it does not look at mounts. A
  # runner that goes on after a switch would lose every Node.js in the middle of a job.
  environment = lib.optionalAttrs (aliases != { }) { GITHUB_RUNNER_EXTERNALS = "${externals}"; };
}

# One repository whose runs may have runners on demand.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options = {
    id = mkOption {
      type = types.ints.positive;
      example = 123456;
      description = ''
        Number of the repository, which `gh api repos/OWNER/NAME --jq .id` prints. A repository that somebody else made under the
        same name has another one, and gets nothing.
      '';
    };

    ownerId = mkOption {
      type = types.nullOr types.ints.positive;
      default = null;
      example = 654321;
      description = ''
        Number of the repository's owner, which `gh api users/OWNER --jq .id` prints. The proof `oidc` needs it.
      '';
    };

    proofs = mkOption {
      type = types.nonEmptyListOf (
        types.enum [
          "queue"
          "oidc"
          "artifact"
          "none"
        ]
      );
      default = [ "queue" ];
      example = [
        "oidc"
        "queue"
      ];
      description = ''
        How a request can show that a run wants its runner. Of those that it can have, the first one counts:

        - `queue`: a job of the run waits for a runner with this label. Works for forks, and needs nothing in the workflow.
        - `oidc`: the request has an ID token of the run. GitHub gives none to pull requests from forks.
        - `artifact`: the run has an artifact that is called after the order. Works for forks, also before the job waits.
        - `none`: nothing is shown. **Anybody who knows the address then gets runners**, up to
          {option}`services.github-runner-on-demand.limits.unproven`, which has to be set.
      '';
    };

    forks = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether runs of pull requests from forks are served: code of strangers, which should get a machine of its own. Only classes
        that allow it serve them, see {option}`services.github-runner-on-demand.classes.<name>.allowForks`.
      '';
    };
  };
}

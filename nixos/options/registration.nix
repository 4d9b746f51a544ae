# What a runner is to GitHub, and by what right.
{ lib, name, ... }:

let
  inherit (lib) literalExpression mkOption types;

  # Ends the description of every field of the registration.
  registersAnew = "Changing this registers the runner anew.";
in
{
  options = {
    url = mkOption {
      type = types.str;
      example = "https://github.com/nixos/nixpkgs";
      description = ''
        Page of the repository, organization or enterprise that the runner works for, as the browser shows it.
        It must fit the token: with the token of an organization, give the organization's page
        (`https://github.com/nixos`) and not that of one of its repositories, or GitHub answers "not found".

        With {option}`orgs`, page of the server, to which each account is added: `https://github.com` unless you say
        otherwise.

        ${registersAnew}
      '';
    };

    tokenFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/github-runner/nixos.token";
      description = ''
        File on the target machine that holds the token on a single line. Write the path as a string: a Nix path or
        a file in the store is refused, because everybody on the machine can read the store. Either this or
        {option}`githubApp` must be set.

        An access token never reaches the runner or its jobs. A broker, a service of its own that only root can ask,
        trades it at GitHub for what registers this one runner, and uses it to remove registrations that are not
        wanted any more.

        The token is one of these:

        - a fine-grained personal access token that may read and write "Self-hosted runners" of the organization, or
          "Administration" of the repository;
        - a classic personal access token with the scope `admin:org` for an organization or `repo` for a repository;
        - a registration token. GitHub accepts it for one hour only. A runner that has to register later than that,
          for example because its configuration changed, stays down until the file holds a new one. It cannot
          remove registrations either, so the ones that are given up stay listed at GitHub.

        Only root needs to be able to read the file, and the user of the unit must not: a start is refused if owner, mode
        and access control lists would let it read the file or exchange something on the way to it, also where the sandbox
        hides the present one. See {option}`trustJobsLikeRoot`.

        ${registersAnew} So does other content of the file, unless {option}`reRegisterOnTokenChange` is off.
      '';
    };

    githubApp = mkOption {
      type = types.nullOr (types.submodule ./app.nix);
      default = null;
      example = {
        id = "Iv23liExampleExample";
        privateKeyFile = "/run/secrets/github-runner/app.pem";
      };
      description = ''
        GitHub App that registers the runner, in place of {option}`tokenFile`. It must be installed where the runner
        works, with permission to read and write "Self-hosted runners" of the organization, or "Administration" of
        the repository. GitHub lets no App administer the runners of an enterprise.

        The key never reaches the runner or its jobs: only the broker reads it, see {option}`tokenFile`.
      '';
    };

    reRegisterOnTokenChange = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether another access token in {option}`tokenFile` registers the runner anew. When this is off, rotating the
        token leaves the registration alone, and the new token is used from the next request to GitHub on.

        Rotating the key of a {option}`githubApp` never registers anew.
      '';
    };

    registration.method = mkOption {
      type = types.nullOr (
        types.enum [
          "jit"
          "configure"
        ]
      );
      default = null;
      example = "configure";
      description = ''
        How the runner gets its registration: GitHub makes it and hands out its files (`jit`), or the runner makes it
        with a registration token (`configure`). `jit` is for ephemeral runners with an access token or
        a {option}`githubApp`. There it saves a run of the runner's configuration before each job, and no secret that
        could register another runner is ever near the runner.

        `null` stands for `jit` wherever that is possible, and for `configure` elsewhere.
      '';
    };

    tokenType = mkOption {
      type = types.enum [
        "auto"
        "access"
        "registration"
      ];
      default = "auto";
      example = "access";
      description = ''
        What {option}`tokenFile` holds: a personal or installation access token (`access`) or a registration token
        (`registration`, which needs no broker). With `auto`, the prefix decides: `ghp_`, `gho_`, `github_pat_` and their like mark an
        access token, and a token without such a prefix is a registration token. Older GitHub Enterprise Servers issue
        access tokens without a prefix; say `access` there.
      '';
    };

    name = mkOption {
      type = types.nullOr types.str;
      default = name;
      defaultText = literalExpression "‹name›";
      example = "nixos";
      description = ''
        Name under which GitHub lists the runner. `null` stands for the host name. If the entry makes several runners,
        each has in addition what its instance has after the attribute's name, for example `-2` or `-octo-org-1`.

        ${registersAnew}
      '';
    };

    runnerGroup = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "trusted";
      description = ''
        Runner group that the runner joins. The group must exist. `null` stands for the default group.

        ${registersAnew}
      '';
    };

    extraLabels = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "nixos" ];
      description = ''
        Labels by which workflows can ask for this runner (`runs-on`), besides the ones that every runner has
        (see {option}`noDefaultLabels`).

        ${registersAnew}
      '';
    };

    noDefaultLabels = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether to leave out the labels `self-hosted`, operating system and architecture. The runner then
        takes only jobs that ask for nothing but {option}`extraLabels`, of which there must be at least one.

        ${registersAnew}
      '';
    };

    replace = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether a registration may take the place of another runner with the same name. When this is off and such
        a runner exists, the registration fails and the unit does not start.

        This is about runners of others. What this runner registered before is removed first, unless
        {option}`tokenFile` holds a registration token, which cannot do that. It is known by
        {file}`/var/lib/github-runner-registrations`: a host that forgets its root at each boot has to keep that directory
        together with {file}`/var/lib/private/github-runner`, or {file}`/var/lib/github-runner` with a static
        {option}`user`.
      '';
    };

    ephemeral = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the runner takes one job only. GitHub forgets the runner after the job; the unit then starts again,
        with an empty state directory and a new registration. A runner that is stopped before it got a job takes its
        registration back.

        Every job needs a registration, so use a {option}`githubApp` or let {option}`tokenFile` hold an access token:
        with a registration token the first start after its hour fails.

        ${registersAnew}
      '';
    };

    workDir = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/var/lib/github-runner-work/nixos";
      description = ''
        Directory in which jobs find their checkouts (`$GITHUB_WORKSPACE`), and their home. **Every start of the unit
        empties it**, unless {option}`cleanWorkDir` says otherwise. A missing one is created and given to the user of the unit. One that belongs to somebody else and is not
        empty is refused, unless this runner had it before.

        `null` stands for the runtime directory of the unit, which is in memory and holds {option}`workDirSize`: choose a
        directory on disk if jobs fail for lack of space. The value is a path as systemd reads it: `%S` and its like are expanded, and `%%` is
        a percent sign. If the entry makes several runners, each has a directory of its own in here, for example `2` or
        `octo-org-1`.

        ${registersAnew}
      '';
    };
  };
}

# The options of runners on demand: what is in the settings file and in the manifest of their broker. See
# docs/on-demand.md.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkOption
    types
    ;
  options = config.services.github-runner-on-demand;
in
{
  options.services.github-runner-on-demand = {
    enable = mkEnableOption ''
      runners on demand: a workflow asks for a runner, holds no secret, and gets one machine for one job. This makes an address that
      is open to the network, see {option}`services.github-runner-on-demand.nginx.enable`'';

    address = mkOption {
      type = types.str;
      example = "https://ci.example.org";
      description = ''
        Where workflows ask, without a path. ID tokens have to be made for exactly this text (`audience`), so another address needs
        a change in workflows that use them.
      '';
    };

    nginx.enable = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether nginx of this host takes requests: it gets a virtual host for {option}`services.github-runner-on-demand.address` with a
        certificate by ACME, and at most ten requests a minute from one address, with twenty at once. Its ports have to be open
        ({option}`networking.firewall.allowedTCPPorts`). Without it, another proxy of this host has to speak HTTP to
        {file}`/run/github-runner-door/http.sock`, and to set the header `X-Real-IP` itself: limits of single callers go by it.
      '';
    };

    door.package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../packages/github-runner-door.nix { };
      defaultText = literalExpression "pkgs.callPackage ./nixos/packages/github-runner-door.nix { }";
      description = ''
        Package of the program that strangers reach. The desk behind it is that of {option}`services.github-runnerctl.package`, and both
        must come from the same release. Replace it to try a patched version.
      '';
    };

    door.group = mkOption {
      type = types.str;
      default = if options.nginx.enable then config.services.nginx.group else "root";
      defaultText = literalExpression ''
        if config.services.github-runner-on-demand.nginx.enable then config.services.nginx.group else "root"
      '';
      example = "caddy";
      description = ''
        Group of the proxy, which may connect to {file}`/run/github-runner-door/http.sock`. **Its members can say that a request came from
        any address**, so nobody but the proxy should be in it.
      '';
    };

    url = mkOption {
      type = types.str;
      example = "https://github.com/octo-org";
      description = ''
        Page of the organization or repository for which runners are registered, as the browser shows it. All of
        {option}`services.github-runner-on-demand.repositories` have to belong to it.
      '';
    };

    runnerGroup = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "on-demand";
      description = ''
        Runner group of an organization that the runners join. It must exist. Let it serve nothing but the repositories below: any
        workflow that may use the group can have its job run by somebody else's order. `null` stands for the default group.
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
        GitHub App that registers the runners, as that of a runner. It needs permission to read and write "Self-hosted runners" of the
        organization, or "Administration" of the repository, and to read "Actions" of private repositories, for their proofs. Set this
        or {option}`services.github-runner-on-demand.tokenFile`.
      '';
    };

    tokenFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/github-runner/on-demand.token";
      description = ''
        File on the target machine that holds an access token on a single line, as that of a runner. A registration token is of no use
        here: it can neither look at runs nor make a registration for one job.
      '';
    };

    tokenType = mkOption {
      type = types.enum [
        "auto"
        "access"
      ];
      default = "auto";
      example = "access";
      description = ''
        What {option}`services.github-runner-on-demand.tokenFile` holds. With `auto`, a known prefix marks an access token; say `access`
        where tokens have none.
      '';
    };

    brokerEnvironment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        SSL_CERT_FILE = "/etc/ssl/certs/example-ca.pem";
      };
      description = ''
        Variables by which brokers reach the server, and those of clouds their cloud, for proxies and certificates. They win over those
        of {option}`networking.proxy`. Runners of classes have theirs for themselves.
      '';
    };

    prefix = mkOption {
      type = types.str;
      default = "od";
      example = "ci";
      description = ''
        How labels begin: `‹prefix›-‹run id›-‹name›`, which a workflow asks for and has in `runs-on`. 2 to 12 of `a-z`, `0-9`, `_` and `-`,
        beginning with a letter. It must not begin a runner's name of this host, nor a label of GitHub's own runners.
      '';
    };

    compatible.prefix = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "rr_runner_";
      description = ''
        How labels begin that name no run, for workflows that were written for another service. Such a label proves nothing, so its
        repository needs the proof `none`, or the request has to name the run. `null` takes no such labels.
      '';
    };

    repositories = mkOption {
      type = types.attrsOf (types.submodule ./on-demand-repository.nix);
      default = { };
      example = {
        "octo-org/example" = {
          id = 123456;
          forks = true;
        };
      };
      description = ''
        Repositories whose runs may have runners, by `owner/name`. Nobody else gets any.
      '';
    };

    classes = mkOption {
      type = types.attrsOf (types.submodule (import ./on-demand-class.nix pkgs));
      default = { };
      example = {
        x86_64 = {
          max = 4;
          nspawn.image = "debian";
        };
      };
      description = ''
        What can be ordered, by names of 1 to 16 of `a-z`, `0-9` and `_`. Each has one kind of machine: `local`, `nspawn`,
        `incus` or `ec2`.
      '';
    };

    limits = import ./on-demand-limits.nix { inherit lib; };
  };
}

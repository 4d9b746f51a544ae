# One class of runners on demand: what it is, what makes it, and who may have it.
pkgs:

{
  config,
  lib,
  name,
  ...
}:

let
  inherit (lib) literalExpression mkOption types;
  duration = import ./duration.nix { inherit lib; };

  time =
    default: description:
    mkOption {
      inherit (duration) type;
      inherit default description;
      apply = duration.seconds;
    };
in
{
  options = {
    max = mkOption {
      type = types.ints.positive;
      default = 4;
      description = "Open orders of this class. Whoever comes after is told to ask again.";
    };

    ttl = time "60min" ''
      Life of an order, from 60 seconds to 6 hours, in seconds or with one of the units `s`, `min` and `h`. **Its machine then ends,
      and a job that still runs fails**: keep `timeout-minutes` of workflows below it.
    '';

    notOnline = time "5min" "How long a machine may take until GitHub lists its runner as online. Then the order ends.";

    noJob = time "5min" "How long a runner waits for its job. Then the order ends.";

    pricePerHour = mkOption {
      type = types.numbers.nonnegative;
      default = 0;
      example = 1.6;
      description = ''
        What an hour of a machine costs, in whatever unit you count, with up to four decimals; for
        {option}`services.github-runner-on-demand.limits.costPerDay`. Nobody is asked for prices. With `ec2` it has to be set, to what an
        hour of the dearest type costs on demand.
      '';
    };

    processors = mkOption {
      type = types.ints.positive;
      default = 1;
      description = "Processors of a machine, for {option}`services.github-runner-on-demand.limits.processors`. Gives a machine none.";
    };

    architecture = mkOption {
      type = types.str;
      default = name;
      defaultText = literalExpression "‹name›";
      example = "x86_64";
      description = ''
        The runners have the label `arch_‹architecture›` besides that of their order, and no other one. 1 to 16 of `a-z`, `0-9` and `_`;
        with `ec2` it is that of the instances, `x86_64` or `arm64`.
      '';
    };

    allowForks = mkOption {
      type = types.nullOr types.bool;
      default = null;
      example = true;
      description = ''
        Whether runs of pull requests from forks may have this class, and requests without a proof (`none`), which may come from them.
        `null` allows it where each has a virtual machine, as with `ec2`. Elsewhere it is refused as soon as a repository has
        {option}`services.github-runner-on-demand.repositories.<name>.forks` or that proof: **jobs of strangers
        then share the kernel of this host**, and with `local` also its network and what everybody on it can read. Say `true` if they may, or
        `false` to keep the class for other runs.
      '';
    };

    local = mkOption {
      type = types.nullOr (types.submodule (import ./on-demand-local.nix pkgs));
      default = null;
      example = { };
      description = ''
        A unit of this host for each order, in the sandbox of {option}`services.github-runners`, with directories in memory that are gone
        afterwards. For code that you would run on this host yourself.
      '';
    };

    nspawn = mkOption {
      type = types.nullOr (
        types.submodule {
          options.image = mkOption {
            type = types.str;
            example = "debian";
            description = ''
              Image of the machines, one of {option}`services.ci-machines.images`. It needs a runner, see the manual.
            '';
          };
        }
      );
      default = null;
      example = {
        image = "debian";
      };
      description = ''
        A machine of systemd-nspawn for each order. They are made by the supervisor of {option}`services.gitlab-nspawn`, which this turns
        on; its limits, network and slots are for these machines, too.
      '';
    };

    incus = mkOption {
      type = types.nullOr (types.submodule ./on-demand-incus.nix);
      default = null;
      example = {
        image = "runner";
        virtualMachine = true;
      };
      description = "An instance of Incus or LXD for each order, of a server on this host.";
    };

    ec2 = mkOption {
      type = types.nullOr (
        types.submodule (import ./on-demand-ec2.nix { inherit (config) architecture; })
      );
      default = null;
      example = {
        region = "eu-central-1";
        credentialFile = "/run/secrets/github-runner/aws";
        image.id = "ami-0123456789abcdef0";
        types = [ "c7i.xlarge" ];
        subnets = [ "subnet-0123456789abcdef0" ];
        securityGroups = [ "sg-0123456789abcdef0" ];
      };
      description = ''
        An instance of EC2 for each order. **It costs money**, so
        {option}`services.github-runner-on-demand.classes.<name>.pricePerHour` and
        {option}`services.github-runner-on-demand.limits.costPerDay` have to be set. Use an account of AWS that has nothing else in it: its
        quotas are the limit that holds whatever happens to this host.
      '';
    };
  };
}

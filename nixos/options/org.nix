# One account of an entry's `orgs`.
{
  # How many runners the entry has where an account does not say.
  count,
}:

{ lib, name, ... }:

let
  inherit (lib) literalExpression mkOption types;
in
{
  options = {
    login = mkOption {
      type = types.str;
      default = name;
      defaultText = literalExpression "‹org›";
      example = "octo-org/example";
      description = ''
        Organization, or repository with its owner (`owner/repository`), that the runners work for. It is added to
        {option}`url`. A repository needs this option, because the attribute's name becomes a part of names of units and
        directories.

        Changing this registers these runners anew.
      '';
    };

    url = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://github.example.com/octo-org";
      description = ''
        Page of the account, as the browser shows it, if it is not what {option}`login` makes of the entry's {option}`url`:
        an account of another server, or an enterprise. The credential has to be good there.

        Changing this registers these runners anew.
      '';
    };

    tokenFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/github-runner/octo-org.token";
      description = ''
        File on the target machine with a token for this account, in place of the entry's {option}`tokenFile` or
        {option}`githubApp`. `null` takes what the entry has.

        Changing this registers these runners anew.
      '';
    };

    extraLabels = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "gpu" ];
      description = ''
        Labels of these runners beside those of the entry.

        Changing this registers these runners anew.
      '';
    };

    count = mkOption {
      type = types.ints.positive;
      default = count;
      defaultText = literalExpression "config.services.github-runners.‹name›.count";
      example = 2;
      description = ''
        How many runners work for this account. A smaller number takes away the ones with the highest numbers; the
        others keep their registrations.
      '';
    };
  };
}

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

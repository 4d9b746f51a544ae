# The options of a fleet of GARM: who GARM is, whom it serves, and what reaches it. See docs/garm-nixos.md.
{
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

  secret =
    example: description:
    mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/garm/${example}";
      inherit description;
    };
in
{
  options.services.garm-fleet = {
    enable = mkEnableOption ''
      a fleet of GARM: GARM, its provider, Incus, an image for runners and pools, as this configuration says. Opens: ports 53, 67
      and that of {option}`services.garm-fleet.guestUrl` to guests, and with {option}`services.garm-fleet.domain` an
      address that is open to the network'';

    garm.enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether GARM runs on this host. Without it the host has instances only, for a GARM elsewhere whose certificate is in
        {option}`services.garm-fleet.incus.trusted`.
      '';
    };

    garm.package = mkOption {
      type = types.nullOr types.package;
      default = null;
      example = literalExpression "pkgs.garm";
      description = ''
        Package of GARM, with `bin/garm`. `null` stands for `pkgs.garm`, where nixpkgs has it. Nothing of GARM is built by this module.
      '';
    };

    garm.port = mkOption {
      type = types.port;
      default = 9997;
      description = ''
        Port of GARM on 127.0.0.1. Its whole API is there, so only programs of this host reach it; others see what nginx shows.
      '';
    };

    garm.settings = mkOption {
      type = types.attrs;
      default = { };
      example = {
        logging.log_level = "debug";
      };
      description = ''
        Further settings of GARM, by the names of its configuration. A section that this module makes, too, is merged key by key, and
        what stands here wins. Where GARM listens, its secrets and its database are refused here; they have options of their own, or are
        promises. It ends up in the store, so secrets do not belong here.
      '';
    };

    jwtSecretFile = secret "jwt" ''
      File on the target machine with the secret by which GARM signs tokens of guests and administrators, on one line of
      printable characters. GARM refuses a weak one; `openssl rand -hex 32` makes one. Another one makes all tokens useless, and
      those of guests that are not ready yet with them.
    '';

    databasePassphraseFile = secret "passphrase" ''
      File on the target machine with the passphrase by which GARM encrypts what is secret in its database: exactly 32 printable
      characters, as `openssl rand -hex 16` makes. **Whoever changes it loses the secrets in there.**
    '';

    admin.user = mkOption {
      type = types.str;
      default = "admin";
      description = "Name of GARM's administrator, whom the pass makes at the first start and by whom it speaks to GARM.";
    };

    admin.email = mkOption {
      type = types.str;
      default = "admin@localhost.localdomain";
      description = "E-mail address of GARM's administrator. GARM wants one and sends nothing to it.";
    };

    admin.passwordFile = secret "admin" ''
      File on the target machine with the password of GARM's administrator, on one line. GARM refuses a weak one.
    '';

    guestUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "http://192.0.2.10:8080";
      description = ''
        Address of this host as guests reach GARM, without a path: nginx shows guests `/api/v1/metadata` and `/api/v1/callbacks` there
        and nothing else. With `http://`, it is an IPv4 address of this host, and a port that nobody else has there. With `https://`, it is
        a name for which nginx gets a certificate by ACME, and whose address guests reach: a public one, or one in
        {option}`services.garm-fleet.incus.network.reach`. Opens, with `https://`: that port of this host to its guests, and with it the other
        virtual hosts of nginx there. `null` stands for the address of {option}`services.garm-fleet.incus.network`, which
        guests of this host alone reach. Guests of other hosts need one that they reach, and the same text there.
      '';
    };

    domain = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "garm.example.org";
      description = ''
        Opens: `https://‹domain›/webhooks` to everybody, through nginx with a certificate by ACME. Pools need webhooks of GitHub,
        scale sets do not. `null` opens nothing.
      '';
    };

    nginx.enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether nginx of this host stands before GARM. Without it, another proxy has to show guests `/api/v1/metadata` and
        `/api/v1/callbacks`, and GitHub `/webhooks`, and should show nothing else.
      '';
    };

    interval = mkOption {
      type = types.str;
      default = "5min";
      example = "1h";
      description = ''
        Time between two passes, as {manpage}`systemd.time(7)` writes it. A pass compares GARM with this configuration and changes what
        is otherwise; a switch starts one in any case.
      '';
    };

    provider.package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../packages/garm-provider-incus-lxd.nix { };
      defaultText = literalExpression "pkgs.callPackage ./nixos/packages/garm-provider-incus-lxd.nix { }";
      description = "Package of the provider, which GARM starts for each operation.";
    };

    providers = mkOption {
      type = types.attrsOf (types.submodule ./garm-fleet-provider.nix);
      default = { };
      example = {
        second = {
          url = "https://192.0.2.20:8443";
          serverCertificate = literalExpression "./second-incus.crt";
        };
      };
      description = ''
        Servers of Incus or LXD by names that pools have for them. With {option}`services.garm-fleet.incus.enable` there is `incus`, the
        one of this host, besides.
      '';
    };
  };

  imports = [
    ./garm-fleet-forge.nix
    ./garm-fleet-incus.nix
    ./garm-fleet-pools.nix
  ];
}

# A server of Incus or LXD of a fleet of GARM, as the provider's settings have it.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options = {
    url = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://192.0.2.20:8443";
      description = "Address of the server, with its port. Set this or the socket.";
    };

    socket = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/incus/unix.socket";
      description = ''
        Opens: this host to GARM, as root. Socket of the server, for one that cannot be reached by {option}`url`; GARM gets the group
        {option}`socketGroup`. **Whoever has the socket owns the host**, so a certificate is the better way.
      '';
    };

    socketGroup = mkOption {
      type = types.str;
      default = "incus-admin";
      description = "Group that may open the socket.";
    };

    project = mkOption {
      type = types.str;
      default = "garm-fleet";
      description = "Project of the server, which has to exist. That of {option}`services.garm-fleet.incus.project` on a host of NixOS.";
    };

    serverCertificate = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = lib.literalExpression "./second-incus.crt";
      description = ''
        The one certificate that the server may have: {file}`/var/lib/incus/server.crt` there. It is no secret and may be in the
        store. `null` leaves it to the authorities of this host.
      '';
    };

    clientCertificateFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/garm/client.crt";
      description = ''
        Certificate by which GARM is known there, as a file on the target machine. `null` stands for the one that this host made,
        {file}`/var/lib/garm-fleet-incus/client/client.crt`; the other host has it in {option}`services.garm-fleet.incus.trusted`.
      '';
    };

    clientKeyFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/garm/client.key";
      description = "Key of that certificate, as a file on the target machine. Both are given, or neither.";
    };

    instanceType = mkOption {
      type = types.enum [
        "container"
        "virtual-machine"
      ];
      default = "virtual-machine";
      description = "What instances are. A container shares the kernel of its host.";
    };

    imageRemotes = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        images = "https://images.linuxcontainers.org";
      };
      description = "Servers of images (`simplestreams`) by names that stand before the `:` of a pool's image.";
    };
  };
}

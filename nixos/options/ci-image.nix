# One image from which machines for jobs are made.
{ lib, ... }:

let
  inherit (lib) literalExpression mkOption types;
in
{
  options = {
    root = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/gitlab-nspawn-images/debian";
      description = ''
        Directory with a root file system, such as debootstrap makes it. It needs `bash` and `git`, and has to belong to root, on
        ext4, xfs, btrfs or tmpfs. Machines have it read-only. Jobs that run see strange things if you change it meanwhile: make a
        new directory beside it, and name that one here. Set this or {option}`system`.
      '';
    };

    system = mkOption {
      type = types.nullOr types.package;
      default = null;
      example = literalExpression ''
        (pkgs.nixos { imports = [ github-runners.nixosModules.ci-image ]; }).config.system.build.toplevel
      '';
      description = ''
        Top level of a NixOS system, with the module `nixosModules.ci-image` among its imports. A switch to another system
        reaches jobs that start after it. Machines have the whole store of the host read-only, so jobs can read everything that is in
        it. Set this or {option}`root`.
      '';
    };

    boot = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether the image's init is started. Without it a machine is there sooner, and jobs have no `systemctl` and no services.
        A {option}`system` cannot do without.
      '';
    };

    nixDaemon = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether jobs may use the Nix daemon of the host. **They can then use its processors, memory and disk outside of their
        machine, read every path of the store, and leave paths there that later jobs use.** The image needs the program `nix`, and
        no daemon of its own.
      '';
    };
  };
}

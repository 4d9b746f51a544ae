# The image of Incus for runners of GARM: what the install script of GARM 0.2 and that of this repository's provider expect of it.
{ lib, pkgs, ... }:

let
  inherit (builtins) readFile;
  arguments = {
    inherit lib;
    modulesPath = "/nixos/modules";
    pkgs = pkgs // {
      github-runner = pkgs.package "github-runner";
    };
    config = {
      services.github-runner-image.package = pkgs.package "github-runner";
      environment.etc."systemd/system".source = "/system-units";
      system.nixos.release = "26.05";
      system.build = {
        metadata = pkgs.package "metadata";
        qemuImage = pkgs.package "disk";
        squashfs = pkgs.package "squashfs";
      };
    };
  };
  image = import ../../../nixos/machines/runner-garm.nix arguments;
  container = import ../../../nixos/machines/runner-garm-container.nix arguments;
  machine = import ../../../nixos/machines/runner-garm-vm.nix arguments;

  script = readFile ../../../src/frontend/garm/install.sh;
  svc = readFile ../../../nixos/machines/runner-garm-svc.sh;

  # What `C` of tmpfiles copies, by the places where it lands.
  copied = builtins.listToAttrs (
    lib.concatMap (
      rule:
      let
        parts = builtins.match "C ([^ ]+) - - - - (.*)" rule;
      in
      lib.optional (parts != null) {
        name = builtins.head parts;
        value = lib.last parts;
      }
    ) image.systemd.tmpfiles.rules
  );
  archive = pkgs.linkFarm "actions-runner" { };
  has = text: lib.hasInfix text script;
in
{
  "the runner is where GARM's script looks for it, and where that of the provider does" = {
    expected = {
      "/home/runner/actions-runner" = "${archive}";
      "/opt/cache/actions-runner/latest" = "${archive}";
    };
    actual = copied;
  };

  "the provider's script finds its directories in the image" = {
    expected = true;
    actual =
      has "\nhome=/home/runner\n" && has "\ncache=/opt/cache/actions-runner\n" && has "\"$cache/latest\"";
  };

  "the runner has every program that install scripts call" = {
    expected = [ ];
    actual =
      let
        calls = [
          "bin/runsvc.sh"
          "bin/installdependencies.sh"
          "config.sh"
          "svc.sh"
        ];
        text = readFile ../../../nixos/machines/runner-garm.nix;
      in
      lib.filter (call: !(has call && lib.hasInfix "\"${call}\" =" text)) calls;
  };

  "units of an instance can be added and enabled where scripts write them" = {
    expected = {
      link = false;
      copied = true;
      after = [ "etc" ];
      svc = true;
      provider = true;
    };
    actual = {
      link = image.environment.etc."systemd/system".enable.content;
      copied = lib.hasInfix "/system-units/. /etc/systemd/system/" image.system.activationScripts.github-runner-units.text;
      after = image.system.activationScripts.github-runner-units.deps;
      svc = lib.hasInfix "/etc/systemd/system/$unit" svc;
      provider = has "\nunits=/etc/systemd/system\n";
    };
  };

  "scripts have bash where they look for it, and programs in PATH" = {
    expected = {
      bash = [ "L+ /bin/bash - - - - ${pkgs.bashInteractive}/bin/bash" ];
      path = "PATH=/run/wrappers/bin:/run/current-system/sw/bin";
      sudo = [ "runner" ];
      su = "/run/wrappers";
    };
    actual = {
      bash = lib.filter (lib.hasInfix "/bin/bash ") image.systemd.tmpfiles.rules;
      path = image.systemd.settings.Manager.DefaultEnvironment;
      sudo = lib.concatMap (rule: rule.users) image.security.sudo.extraRules;
      su = builtins.head image.systemd.services.cloud-final.path.content;
    };
  };

  "an instance finds its user data at the socket of Incus" = {
    expected = {
      enable = true;
      first = "LXD";
      link = true;
      agent = [ "incus-agent.service" ];
    };
    actual = {
      inherit (image.services.cloud-init) enable;
      first = builtins.head image.services.cloud-init.settings.datasource_list;
      link = builtins.elem "L /dev/lxd - - - - /dev/incus" image.systemd.tmpfiles.rules;
      agent = machine.systemd.services.cloud-init-local.after;
    };
  };

  "nobody can log in to an instance" = {
    expected = {
      openssh = false;
      root = "!";
    };
    actual = {
      openssh = image.services.openssh.enable.content;
      root = image.users.users.root.initialHashedPassword.content;
    };
  };

  "images for containers and machines are nixpkgs' with the runner, as two files of known names" = {
    expected = {
      container = [
        "/nixos/modules/virtualisation/lxc-container.nix"
        "runner-garm.nix"
      ];
      machine = [
        "/nixos/modules/virtualisation/incus-virtual-machine.nix"
        "runner-garm.nix"
      ];
      files = true;
    };
    actual =
      let
        names = map (file: if builtins.isPath file then baseNameOf file else file);
      in
      {
        container = names container.imports;
        machine = names machine.imports;
        files =
          lib.all
            (
              image:
              lib.all (file: lib.hasInfix " $out/${file}\n" image.system.build.garmImage.command) [
                "metadata.tar.xz"
                "root"
              ]
            )
            [
              container
              machine
            ];
      };
  };
}

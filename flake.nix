# Wires only. What the outputs are made of stands in nixos/.
{
  description = "Registers, keeps and renews self-hosted GitHub Actions runners on NixOS";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { nixpkgs, ... }:
    let
      forEachSystem =
        f:
        nixpkgs.lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
        ] (system: f nixpkgs.legacyPackages.${system});
    in
    {
      nixosModules = {
        default = ./nixos;
        # For NixOS systems that are images of machines for jobs.
        ci-image = ./nixos/machines/guest.nix;
        # And of those for runners on demand, in nspawn machines together with the one above.
        runner-image = ./nixos/machines/runner.nix;
        # The same for instances of EC2, with all that these need.
        runner-image-ec2 = ./nixos/machines/runner-ec2.nix;
        # And for instances of Incus, of GARM.
        runner-image-garm-container = ./nixos/machines/runner-garm-container.nix;
        runner-image-garm-vm = ./nixos/machines/runner-garm-vm.nix;
      };

      overlays.default = final: _: {
        github-runner-helper = final.callPackage ./nixos/packages/helper.nix { };
        github-runner-door = final.callPackage ./nixos/packages/github-runner-door.nix { };
        github-runnerctl = final.callPackage ./nixos/packages/runnerctl.nix { };
        garm-provider-incus-lxd = final.callPackage ./nixos/packages/garm-provider-incus-lxd.nix { };
        gitlab-nspawn-executor = final.callPackage ./nixos/packages/gitlab-nspawn-executor.nix { };
      };

      packages = forEachSystem (pkgs: rec {
        default = github-runner-helper;
        github-runner-helper = pkgs.callPackage ./nixos/packages/helper.nix { };
        github-runner-door = pkgs.callPackage ./nixos/packages/github-runner-door.nix { };
        github-runnerctl = pkgs.callPackage ./nixos/packages/runnerctl.nix { };
        garm-provider-incus-lxd = pkgs.callPackage ./nixos/packages/garm-provider-incus-lxd.nix { };
        gitlab-nspawn-executor = pkgs.callPackage ./nixos/packages/gitlab-nspawn-executor.nix { };
        # A disk for `aws ec2 import-snapshot`, as large as what is in it. An instance's own is larger, and the file system
        # grows when it boots.
        runner-image-ec2 =
          (pkgs.nixos {
            imports = [ ./nixos/machines/runner-ec2.nix ];
            image.modules.amazon.virtualisation.diskSize = "auto";
          }).config.system.build.images.amazon;
        # Two files that `incus image import` takes: `metadata.tar.xz` and `root`.
        runner-image-garm-container =
          (pkgs.nixos ./nixos/machines/runner-garm-container.nix).config.system.build.garmImage;
        runner-image-garm-vm =
          (pkgs.nixos ./nixos/machines/runner-garm-vm.nix).config.system.build.garmImage;
      });

      checks = forEachSystem (pkgs: import ./nixos/tests/checks.nix { inherit pkgs; });

      apps = forEachSystem (pkgs: {
        demo = {
          type = "app";
          program = "${(pkgs.nixos ./nixos/tests/demo.nix).config.system.build.vm}/bin/run-demo-vm";
          meta.description = "A virtual machine with a runner and a stand-in for GitHub";
        };
      });

      devShells = forEachSystem (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.cargo
            pkgs.clippy
            pkgs.deadnix
            pkgs.nixfmt
            pkgs.rustc
            pkgs.rustfmt
            # What tests/run needs besides.
            pkgs.curl
            pkgs.curl
            pkgs.e2fsprogs
            pkgs.jq
            pkgs.python3
            pkgs.strace
            pkgs.util-linux
          ];
          # For the program as packages have it.
          buildInputs = [ pkgs.glibc.static ];
        };
      });

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);
    };
}

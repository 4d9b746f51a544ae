# Renders what runners on demand consist of for machines without Nix, so that tests on a real systemd start exactly
# what the module would have put there:
#
#   nix-instantiate --eval --strict --json tests/eval/on-demand.nix \
#     --argstr optionsFile /path/options.json \
#     --argstr image /var/lib/images/debian \
#     --argstr helper /opt/helper --argstr runnerctl /opt/runnerctl --argstr door /opt/door \
#     --argstr executor /opt/executor --argstr listener /opt/listener --argstr programs /usr
#
# The file holds the value of `services.github-runner-on-demand`; packages in it are paths. What it leaves out is as in
# `defaults` below: the classes `host` (`local`) and `machine` (`nspawn`, image `debian`) for github.com.
#
# Gives `units` with name, text and the targets that want them, and `files` with path, text and mode, which whoever
# installs them writes. `user`, the door's, and `groups` have to exist, and a directory `/nix/store`. `sysctl` is what the kernel has
# to have for machines with a private network. Fails with every message if the module would refuse the options.
{
  lib ? import ./stand-in,
  optionsFile ? null,
  # Root file system of the image `debian`.
  image,
  # Directories with a `bin`: of the helper, of the program of desk and brokers, of the door, of the supervisor of
  # machines, of the runner, and of everything else that a job finds in PATH.
  helper,
  runnerctl,
  door,
  executor,
  listener,
  programs,
  # What machines of systemd-nspawn reach.
  network ? "private",
  # Where units find settings, manifests and the hook of jobs.
  directory ? "/etc/github-runner-on-demand",
}:

let
  isProgram = name: package: package.type or null == "derivation" && name != "github-runner";
  pkgs = import ./packages.nix {
    manifestDirectory = directory;
    files = {
      "github-runner-on-demand-settings.json" = "${directory}/settings.json";
      "job-started.sh" = "${directory}/job-started.sh";
    };
    paths =
      builtins.mapAttrs (_: _: programs) (lib.filterAttrs isProgram (import ./packages.nix { }))
      // {
        github-runner = listener;
        github-runner-door = door;
        github-runner-helper = helper;
        github-runnerctl = runnerctl;
        gitlab-nspawn-executor = executor;
      };
  };
  packageAt = path: pkgs.package "package" // { outPath = path; };

  given = if optionsFile == null then { } else builtins.fromJSON (builtins.readFile optionsFile);
  defaults = {
    enable = true;
    address = "https://ci.example.org";
    url = "https://github.com/octo-org";
    repositories."octo-org/example".id = 1;
    classes = {
      host.local = { };
      machine.nspawn.image = "debian";
    };
  }
  // lib.optionalAttrs (!given ? githubApp) { tokenFile = "/run/secrets/token"; };
  options =
    defaults
    // given
    // {
      classes = builtins.mapAttrs (_: classOf) (given.classes or defaults.classes);
    };
  classOf =
    class:
    class
    // lib.optionalAttrs (class ? local) {
      local =
        class.local
        // lib.optionalAttrs (class.local ? package) { package = packageAt class.local.package; }
        // lib.optionalAttrs (class.local ? extraPackages) {
          extraPackages = map packageAt class.local.extraPackages;
        };
    };

  rendered = import ./host.nix { inherit lib; } {
    inherit pkgs;
    extra.services = {
      github-runner-on-demand = options;
      ci-machines.images.debian.root = image;
      gitlab-nspawn.network.mode = network;
    };
  };
  parts = import ../../nixos/frontends/on-demand-parts.nix {
    inherit lib pkgs;
    inherit (rendered) config;
  };

  fileOf = path: file: {
    inherit path;
    inherit (file) text;
    mode = if file.executable or false then "0755" else "0644";
  };
  unitsOf =
    kind:
    lib.mapAttrsToList (
      name: unit: {
        unitName = "${name}.${kind}";
        unitText = rendered.unitTexts."${name}.${kind}";
        inherit (unit) wantedBy;
      }
    );
in
if rendered.failures != [ ] then
  throw (lib.concatStringsSep "\n" rendered.failures)
else
  {
    inherit (rendered) tmpfilesRules;
    inherit (rendered.config.boot.kernel) sysctl;
    inherit (parts.units) user;
    groups = builtins.attrNames rendered.config.users.groups;
    units =
      unitsOf "service" rendered.services
      ++ unitsOf "slice" rendered.slices
      ++ unitsOf "socket" rendered.sockets
      ++ unitsOf "timer" rendered.timers;
    files =
      lib.mapAttrsToList (path: { source, ... }: fileOf "/etc/${path}" source) rendered.etc
      ++ map (file: fileOf (toString file) file) (
        [
          parts.hook
          parts.manifest
        ]
        ++ builtins.attrValues parts.manifests
        ++ builtins.attrValues parts.cloudManifests
      );
  }

# Renders the units of any runners for machines without Nix, so that tests on a
# real systemd start exactly what the module would have put there:
#
#   nix-instantiate --eval --strict --json tests/eval/render.nix \
#     --argstr runnersFile /path/runners.json \
#     --argstr helper /opt/helper --argstr runnerctl /opt/runnerctl \
#     --argstr listener /opt/listener --argstr programs /usr \
#     --argstr manifestDirectory /etc/github-runner
#
# The file holds the value of `services.github-runners`; packages in it are paths.
# Something has to be enabled. Fails with every message if the module would refuse one of the runners.
{
  lib ? import ./stand-in,
  runnersFile,
  # Directories with a `bin`: of the helper, of the program that brokers run, of the
  # runner, and of everything else that a job finds in PATH.
  helper,
  runnerctl,
  listener,
  programs,
  # Units read the manifest of INSTANCE from INSTANCE.json in here; whoever
  # installs the units writes it.
  manifestDirectory,
}:

let
  isProgram = name: package: package.type or null == "derivation" && name != "github-runner";
  pkgs = import ./packages.nix {
    inherit manifestDirectory;
    files = {
      "github-runner-containers.conf" = "${manifestDirectory}/containers.conf";
      github-runner-client-of-docker = "/opt/client-of-docker";
      github-runner-client-of-podman = "/opt/client-of-podman";
    };
    paths =
      builtins.mapAttrs (_: _: programs) (lib.filterAttrs isProgram (import ./packages.nix { }))
      // {
        # Beside the program of this module that calls it.
        docker-client = "/opt/docker-client";
        github-runner = listener;
        github-runner-helper = helper;
        github-runnerctl = runnerctl;
      };
  };

  runnerOf =
    configured:
    configured
    // lib.optionalAttrs (configured ? package) { package = packageAt configured.package; }
    // lib.optionalAttrs (configured ? extraPackages) {
      extraPackages = map packageAt configured.extraPackages;
    };
  packageAt = path: pkgs.package "package" // { outPath = path; };

  unitOf = unitName: {
    inherit unitName;
    unitText = rendered.unitTexts.${unitName};
  };
  units = lib.mapAttrsToList (
    instance: manifest:
    unitOf "github-runner-${instance}.service"
    // {
      inherit instance;
      # The socket, which sockets.target wants, and the service behind it.
      brokerUnits = map unitOf (
        lib.filter (unitName: rendered.unitTexts ? ${unitName}) [
          "github-runner-broker-${instance}.socket"
          "github-runner-broker-${instance}@.service"
        ]
      );
      manifestPath = toString manifest;
      manifest = builtins.fromJSON manifest.text;
    }
  ) rendered.manifests;

  # What Nix would build for a unit, as its place and the lines that make it.
  buildsOf =
    runner:
    let
      nodeOf = import ../../nixos/profiles/node.nix {
        inherit lib;
        pkgs.runCommand =
          name: _arguments: lines:
          builtins.toJSON {
            place = (pkgs.runCommand name { } lines).outPath;
            inherit lines;
          };
      };
      built = lib.removeSuffix ":${runner.package}/lib/externals";
    in
    map (entry: builtins.fromJSON (built entry)) (nodeOf runner).lists.BindReadOnlyPaths;
  # In a unit's environment a hook is a path only; with a writer of files that hands out the text there it is that.
  textsOf = import ../../nixos/profiles/programs.nix {
    inherit lib;
    pkgs = pkgs // {
      writeTextFile = { text, ... }: text;
    };
  };
  hooksOf =
    instance: runner:
    lib.mapAttrsToList (variable: text: {
      inherit text;
      path = rendered.services."github-runner-${instance}".environment.${variable};
    }) (textsOf runner).environment;
  containers = import ../../nixos/units/containers.nix { inherit lib pkgs; };
  inherit (import ../../nixos/profiles/containers.nix { inherit lib pkgs; }) clientOf;

  rendered = import ./host.nix { inherit lib; } {
    inherit pkgs;
    runners = builtins.mapAttrs (_: runnerOf) (builtins.fromJSON (builtins.readFile runnersFile));
  };
in
if rendered.failures != [ ] then
  throw (lib.concatStringsSep "\n" rendered.failures)
else
  {
    inherit (rendered) tmpfilesRules;
    inherit units;
    builds = lib.concatMap buildsOf (builtins.attrValues rendered.instances);

    # What looks after all of them, and their slices. Of these, multi-user.target
    # wants the service, and timers.target the timer.
    otherUnits = map unitOf (
      builtins.attrNames (
        removeAttrs rendered.unitTexts (
          lib.concatMap (
            unit: [ unit.unitName ] ++ map (brokerUnit: brokerUnit.unitName) unit.brokerUnits
          ) units
        )
      )
    );

    # What the host has for jobs: users with their homes, whose groups have the same names; settings of Nix; files of hooks,
    # and what units of containers name.
    users = builtins.mapAttrs (_: user: user.home or "/") rendered.config.users.users;
    nixSettings = rendered.config.nix.settings;
    files =
      lib.concatLists (lib.mapAttrsToList hooksOf rendered.instances)
      ++ lib.mapAttrsToList (path: text: { inherit path text; }) {
        "/opt/client-of-docker/bin/docker" = (clientOf "docker").text;
        "/opt/client-of-podman/bin/docker" = (clientOf "podman").text;
        ${toString containers.settings} = containers.settings.text;
      };

    # Read by the pass, and by operators' commands.
    fleet =
      let
        file = rendered.etc."github-runners/fleet.json".source;
      in
      {
        path = toString file;
        inherit (file) text;
      };
  }

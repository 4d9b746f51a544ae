# What NixOS would bring: the options to which the module writes. Evaluates the
# module for some runners and hands out what a test may look at.
{ lib }:

{
  # The fake package set; see packages.nix.
  pkgs ? import ./packages.nix { },
  # Value of `services.github-runners`.
  runners ? { },
  # What makes units of them; nixpkgs' own module, to compare with.
  module ? ../../nixos,
  # Further definitions, for example of an option that was removed.
  extra ? { },
}:

let
  inherit (lib) mkOption types;

  listOption =
    type:
    mkOption {
      type = types.listOf type;
      default = [ ];
    };

  # As in NixOS: one list makes a list of all definitions.
  directive = types.mkOptionType {
    name = "systemd directive";
    merge =
      location: definitions:
      let
        values = map (definition: definition.value) definitions;
      in
      if lib.any builtins.isList values then
        lib.concatMap lib.toList values
      else if builtins.length (lib.unique values) == 1 then
        builtins.head values
      else
        throw "The directive `${lib.concatStringsSep "." location}' has conflicting definition values.";
  };

  section = mkOption {
    type = types.attrsOf directive;
    default = { };
  };
  unit = {
    description = mkOption { type = types.str; };
    wantedBy = listOption types.str;
    wants = listOption types.str;
    requires = listOption types.str;
    after = listOption types.str;
    before = listOption types.str;
    unitConfig = section;
  };
  service =
    { config, options, ... }:
    {
      options = serviceOptions;
      # Without a priority, so that whoever sets it beside the directive has a conflict.
      config.unitConfig = lib.optionalAttrs options.startLimitIntervalSec.isDefined {
        StartLimitIntervalSec = toString config.startLimitIntervalSec;
      };
    };
  serviceOptions = unit // {
    startLimitIntervalSec = mkOption { type = types.int; };
    restartIfChanged = mkOption {
      type = types.bool;
      default = true;
    };
    environment = mkOption {
      type = types.attrsOf (
        types.nullOr (types.either types.str (types.either types.path types.package))
      );
      default = { };
    };
    path = listOption (types.either types.package types.str);
    serviceConfig = section;
  };
  socket.options = unit // {
    listenStreams = listOption types.str;
    socketConfig = section;
  };

  slice.options = unit // {
    sliceConfig = section;
  };

  timer.options = unit // {
    timerConfig = section;
  };
  # What nixpkgs' module takes of an entry, as far as a test looks at it.
  runnerOfGitLab.options = {
    authenticationTokenConfigFile = mkOption { type = types.path; };
    executor = mkOption { type = types.str; };
    limit = mkOption {
      type = types.int;
      default = 0;
    };
    registrationFlags = listOption types.str;
  };
  nginx.options = {
    enable = mkOption {
      type = types.bool;
      default = false;
    };
    group = mkOption {
      type = types.str;
      default = "nginx";
    };
    commonHttpConfig = mkOption {
      type = types.str;
      default = "";
    };
    virtualHosts = mkOption {
      type = types.attrsOf (types.submodule virtualHost);
      default = { };
    };
  };
  virtualHost.options = {
    forceSSL = mkOption {
      type = types.bool;
      default = false;
    };
    enableACME = mkOption {
      type = types.bool;
      default = false;
    };
    listen = listOption types.attrs;
    locations = mkOption {
      type = types.attrsOf types.attrs;
      default = { };
    };
  };
  file.options.source = mkOption { type = types.package; };

  nixos.options = {
    assertions = listOption types.attrs;
    meta.maintainers = listOption types.attrs;
    warnings = listOption types.str;
    users.users = mkOption {
      type = types.attrsOf types.attrs;
      default = { };
    };
    users.groups = mkOption {
      type = types.attrsOf types.attrs;
      default = { };
    };
    boot.kernel.sysctl = mkOption {
      type = types.attrsOf (types.either types.bool types.int);
      default = { };
    };
    nix.enable = mkOption {
      type = types.bool;
      default = true;
    };
    nix.package = mkOption {
      type = types.package;
      default = pkgs.nix;
    };
    nix.settings = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
    };
    programs.nix-ld.enable = mkOption {
      type = types.bool;
      default = false;
    };
    programs.nix-ld.libraries = listOption types.package;
    environment.etc = mkOption {
      type = types.attrsOf (types.submodule file);
      default = { };
    };
    environment.systemPackages = listOption types.package;
    networking.hostName = mkOption {
      type = types.str;
      default = "host";
    };
    networking.proxy.envVars = mkOption {
      type = types.attrsOf types.str;
      default = { };
    };
    networking.nftables.enable = mkOption {
      type = types.bool;
      default = false;
      visible = false;
    };
    networking.nftables.tables = mkOption {
      type = types.attrs;
      default = { };
    };
    networking.firewall.interfaces = mkOption {
      type = types.attrsOf types.attrs;
      default = { };
    };
    virtualisation.incus = mkOption {
      type = types.attrs;
      default = { };
    };
    networking.dhcpcd.denyInterfaces = listOption types.str;
    networking.networkmanager.unmanaged = listOption types.str;
    # Of nixpkgs, so no page of this module has them.
    services.gitlab-runner.enable = mkOption {
      type = types.bool;
      default = false;
      visible = false;
    };
    services.nginx = mkOption {
      type = types.submodule nginx;
      default = { };
      visible = false;
    };
    services.gitlab-runner.settings = mkOption {
      type = types.attrs;
      default = { };
      visible = false;
    };
    services.gitlab-runner.services = mkOption {
      type = types.attrsOf (types.submodule runnerOfGitLab);
      default = { };
      visible = false;
    };
    virtualisation.containers.enable = mkOption {
      type = types.bool;
      default = false;
      visible = false;
    };
    systemd.package = mkOption {
      type = types.package;
      default = pkgs.systemd;
    };
    systemd.services = mkOption {
      type = types.attrsOf (types.submodule service);
      default = { };
    };
    systemd.sockets = mkOption {
      type = types.attrsOf (types.submodule socket);
      default = { };
    };
    systemd.slices = mkOption {
      type = types.attrsOf (types.submodule slice);
      default = { };
    };
    systemd.timers = mkOption {
      type = types.attrsOf (types.submodule timer);
      default = { };
    };
    systemd.tmpfiles.rules = listOption types.str;
  };

  # What collects garbage. NixOS always has it; here it is only where a runner is about it, and units of all others
  # are this module's alone.
  isHeld = runner: runner.nix.holdGarbageCollection or false;
  collector =
    { config, ... }:
    {
      systemd.services =
        lib.optionalAttrs
          (config.nix.enable && lib.any isHeld (builtins.attrValues config.services.github-runners))
          {
            nix-gc = {
              description = "Nix Garbage Collector";
              serviceConfig = {
                Type = "oneshot";
                ExecStart = "${config.nix.package}/bin/nix-collect-garbage";
              };
            };
          };
    };

  inherit
    (lib.evalModules {
      specialArgs = { inherit pkgs; };
      modules = [
        nixos
        collector
        # Before the module, as where it is imported: lists keep their order all the same.
        extra
        module
        { services.github-runners = runners; }
      ];
    })
    config
    options
    ;

  instances = lib.zipAttrsWith (_: builtins.head) (
    lib.mapAttrsToList (
      entry: runner:
      import ../../nixos/instances.nix {
        inherit lib;
        passes = config.services.github-runnerctl.reconcile.enable;
      } entry runner config.networking.hostName
    ) (lib.filterAttrs (_: runner: runner.enable) config.services.github-runners)
  );

  unitText = import ./unit-text.nix { inherit lib pkgs; };
in
{
  inherit config options;
  inherit (config.systemd)
    services
    slices
    sockets
    timers
    ;
  inherit (config.environment) etc;
  tmpfilesRules = config.systemd.tmpfiles.rules;
  runners = config.services.github-runners;

  # What a switch would print instead of building.
  failures = map (entry: entry.message) (lib.filter (entry: !entry.assertion) config.assertions);

  # And what it would print and build all the same.
  inherit (config) warnings;

  # By the full name of the unit.
  unitTexts =
    let
      textsOf =
        kind: lib.mapAttrs' (name: value: lib.nameValuePair "${name}.${kind}" (unitText.${kind} value));
    in
    textsOf "service" config.systemd.services
    // textsOf "slice" config.systemd.slices
    // textsOf "socket" config.systemd.sockets
    // textsOf "timer" config.systemd.timers;

  inherit instances;

  # What the manifest of every instance is built from, with a word for the rest of
  # its unit.
  manifests =
    let
      manifestOf = import ../../nixos/manifest.nix {
        inherit pkgs;
        helper = config.services.github-runnerctl.helper.package;
      };
      waysOf = import ../../nixos/units/ways.nix { inherit lib; };
    in
    builtins.mapAttrs (
      instance: runner:
      manifestOf instance (
        runner
        // {
          brokerEnvironment = (waysOf config.systemd.services."github-runner-${instance}").environment;
          supplementaryGroups = [ ];
          unit = "digest";
        }
      )
    ) instances;
}

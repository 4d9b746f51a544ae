# The parts of a fleet of GARM: texts as files, and units that name them. For garm-fleet.nix, and for tests that install the same
# without NixOS.
{
  lib,
  pkgs,
  # Value of `services.garm-fleet`.
  options,
  # Packages of the pass, of the client of Incus, and of systemd's programs.
  runnerctl,
  client,
  systemd,
  # Value of `services.github-runnerctl.metrics.textfileDirectory`.
  textfileDirectory,
}:

let
  bash = pkgs.bashInteractive;
  units = import ../units/garm-fleet.nix { inherit lib; };
  texts = import ./garm-fleet-config.nix { inherit lib options; };

  # As guests reach GARM.
  guestUrl =
    if options.guestUrl != null then
      options.guestUrl
    else
      "http://${builtins.head (lib.splitString "/" options.incus.network.address)}";
  address = import ./garm-fleet-address.nix { inherit lib; } guestUrl;
  # Anything else is refused.
  guests =
    if address != null then
      address
    else
      {
        host = "localhost";
        port = "80";
        tls = false;
        address = null;
      };

  incus = import ./garm-fleet-incus.nix { inherit guestUrl lib options; };

  # Where systemd puts what a unit is handed, and where it is.
  handed = unit: name: "/run/credentials/${unit}/${name}";
  providerFiles =
    kind: at:
    builtins.mapAttrs (
      name: provider:
      pkgs.writeText "garm-provider-${name}${kind}.toml" (texts.providerText at name provider)
    ) texts.providers;
  ofGarm = providerFiles "" (handed "garm.service");
  ofRoot = providerFiles "-of-root" (name: texts.files.${name});

  settingsWith =
    secret:
    texts.settings {
      inherit secret;
      configOf = name: "${ofGarm.${name}}";
    };

  # Strings, because interpolating a path would copy a secret into the store.
  secrets = {
    jwt-secret = toString options.jwtSecretFile;
    database-passphrase = toString options.databasePassphraseFile;
  };
  groups = lib.unique (
    lib.mapAttrsToList (_: provider: provider.socketGroup) (
      lib.filterAttrs (_: provider: provider.socket != null) options.providers
    )
  );

  wanted = import ./garm-fleet-declaration.nix {
    inherit
      guestUrl
      lib
      options
      textfileDirectory
      ;
    inherit (texts) providers;
    configOf = name: "${ofRoot.${name}}";
    serverOf = texts.serverOf (name: texts.files.${name});
    webhookUrl = if options.domain == null then null else "https://${options.domain}/webhooks";
  };
  declarationWith =
    kind: at: pkgs.writeText "garm-fleet${kind}.json" (builtins.toJSON (wanted.value at));

  # The image of this module.
  image =
    let
      build =
        (pkgs.nixos {
          imports = [
            {
              container = ../machines/runner-garm-container.nix;
              virtual-machine = ../machines/runner-garm-vm.nix;
            }
            .${options.incus.instanceType}
          ]
          ++ options.runnerImage.modules;
        }).config.system.build.garmImage;
    in
    {
      metadata = "${build}/metadata.tar.xz";
      root = "${build}/root";
    };
  images =
    lib.optionalAttrs options.runnerImage.enable { nixos-runner = image; } // options.incus.images;

  scriptOf = name: file: pkgs.writeText name (builtins.readFile file);
  configScript = scriptOf "garm-fleet-config.sh" ./garm-fleet-config.sh;
  readyScript = scriptOf "garm-fleet-ready.sh" ./garm-fleet-ready.sh;
  listenerScript = scriptOf "garm-fleet-listener.sh" ./garm-fleet-listener.sh;
  incusScript = scriptOf "garm-fleet-incus.sh" ./garm-fleet-incus.sh;
  incusSettings = pkgs.writeText "garm-fleet-incus.json" (
    builtins.toJSON (
      incus.settings {
        inherit images;
        client = if options.garm.enable then texts.made else null;
        restart = if options.garm.enable then "garm.service" else null;
      }
    )
  );
  template = pkgs.writeText "garm-config.toml" (texts.toml (settingsWith (name: "@${name}@")));
  declarationOfPass = declarationWith "-of-pass" (handed "garm-fleet.service");
in
{
  inherit
    declarationOfPass
    guests
    incus
    template
    ;
  # As nixpkgs' module takes secrets.
  settingsOfModule = settingsWith (name: {
    _secret = secrets.${name};
  });
  declaration = declarationWith "" (name: wanted.files.${name});
  # What the unit of Incus reads, and what those of GARM and of the pass do.
  incusFiles = [
    incusScript
    incusSettings
  ];
  garmFiles = [
    configScript
    listenerScript
    readyScript
    template
    declarationOfPass
  ]
  ++ builtins.attrValues ofGarm;
  providerFiles = ofRoot;
  providerFilesOfGarm = ofGarm;

  units = {
    garm = units.garm {
      inherit bash groups template;
      package = if options.garm.package != null then options.garm.package else pkgs.garm or "/garm";
      inherit (options.garm) port;
      script = configScript;
      ready = readyScript;
      files = secrets // texts.files;
    };
    beside = units.beside {
      inherit groups;
      inherit (texts) files;
    };
    incus = units.incus.service {
      inherit bash;
      script = incusScript;
      settings = incusSettings;
      path = [
        client
        pkgs.jq
        pkgs.openssl
        systemd
      ];
    };
    incusTimer = units.incus.timer;
    pass = units.pass.service {
      inherit bash runnerctl;
      inherit (options.garm) port;
      inherit (wanted) files;
      listener = listenerScript;
      declaration = declarationOfPass;
      textfileDirectory = if textfileDirectory == null then null else toString textfileDirectory;
    };
    passTimer = units.pass.timer options.interval;
  };
}

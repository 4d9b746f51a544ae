# Defaults, types and what becomes of single options.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  evaluated = changes: (host { runners.one = runner // changes; }).runners.one;
  manifest =
    instance: configured: (host { runners.${instance} = configured; }).manifests.${instance}.text;

  accepted = changes: (builtins.tryEval (builtins.deepSeq (evaluated changes) true)).success;
in
{
  "defaults are nixpkgs', and leave the rest to the program" = {
    expected = {
      cacheDirectory = null;
      cleanWorkDir = "start";
      containers = {
        engine = null;
        group = "docker";
        keepImages = true;
        socket = "/run/docker.sock";
      };
      count = 1;
      createUser = false;
      deviceGroups = [ ];
      devices = [ ];
      drainTimeout = null;
      enable = true;
      ephemeral = false;
      exposeSystemServices = false;
      extraEnvironment = { };
      extraLabels = [ ];
      extraPackages = [ ];
      githubApp = null;
      group = null;
      hooks = {
        jobCompleted = null;
        jobStarted = null;
      };
      hostedToolchains = false;
      kvm = false;
      nodeAliases = { };
      logs = {
        maxAge = 30;
        maxSize = 128;
      };
      minFreeSpace = null;
      name = "one";
      nix = {
        access = null;
        holdGarbageCollection = false;
        substituters = [ ];
        trustedPublicKeys = [ ];
      };
      noDefaultLabels = false;
      nodeRuntimes = [ "node24" ];
      orgs = { };
      programs = "minimal";
      reRegisterOnTokenChange = true;
      registration.method = null;
      replace = false;
      resources = {
        cpuWeight = null;
        memoryMax = null;
        tasksMax = null;
        pool = {
          cpuWeight = null;
          memoryMax = null;
          tasksMax = null;
        };
      };
      restartPolicy = null;
      runnerGroup = null;
      sandbox = {
        namespaces = false;
        sudo = false;
        umask = null;
      };
      serviceOverrides = { };
      steps = { };
      tokenFile = "/run/secrets/token";
      tokenType = "auto";
      trust = null;
      trustJobsLikeRoot = false;
      url = "https://github.com/owner/repository";
      user = null;
      workDir = null;
      workDirMode = "0700";
      workDirSize = "25%";
    };
    actual = removeAttrs (evaluated { }) [ "package" ];
  };

  "an App needs an id and a key only" = {
    expected = {
      id = "123456";
      installationId = null;
      login = null;
      privateKeyFile = "/run/secrets/app.pem";
    };
    actual =
      (evaluated {
        tokenFile = null;
        githubApp = {
          # As in nixpkgs' own test.
          id = 123456;
          privateKeyFile = "/run/secrets/app.pem";
        };
      }).githubApp;
  };

  "a runner is off unless switched on" = {
    expected = false;
    actual = (host { runners.one = removeAttrs runner [ "enable" ]; }).runners.one.enable;
  };

  "values of a wrong type are refused" = {
    expected = [ ];
    actual = lib.filter accepted [
      { tokenFile = "relative/token"; }
      { url = null; }
      { tokenType = "pat"; }
      { nodeRuntimes = [ ]; }
      { nodeRuntimes = [ "node16" ]; }
      { extraLabels = "one"; }
      { replace = "yes"; }
      { reRegisterOnTokenChange = null; }
      { registration.method = "token"; }
      { githubApp = { }; }
      {
        githubApp = {
          id = 1;
          privateKeyFile = "relative/key";
        };
      }
      {
        githubApp = {
          id = 1;
          privateKeyFile = "/key";
          installationId = 0;
        };
      }
      { count = 0; }
      { orgs.octo-org.count = 0; }
      { restartPolicy = "later"; }
      { drainTimeout = 0; }
      { exposeSystemServices = null; }
      { logs.maxAge = 0; }
      { logs.maxSize = "1G"; }
      { workDirSize = 0; }
      { workDirSize = "8GB"; }
      { workDirSize = "0%"; }
      { cleanWorkDir = "job"; }
      { minFreeSpace = 0; }
      { resources.memoryMax = 0; }
      { resources.cpuWeight = 10001; }
      { resources.pool.tasksMax = "many"; }
      { unknownOption = true; }
    ];
  };

  "values of the right type are accepted" = {
    expected = [ ];
    actual = lib.filter (changes: !accepted changes) [
      { }
      { tokenFile = null; }
      { tokenType = "registration"; }
      { registration.method = "configure"; }
      {
        nodeRuntimes = [
          "node20"
          "node24"
        ];
      }
      { extraPackages = [ pkgs.jq ]; }
      { workDirSize = 1073741824; }
      { workDirSize = "8G"; }
      { cleanWorkDir = "never"; }
      { minFreeSpace = 1073741824; }
      { resources.memoryMax = 1073741824; }
      { resources.pool.memoryMax = "50%"; }
      { drainTimeout = 60; }
    ];
  };

  "the Node.js runtimes reach a package that takes them" = {
    expected = [ "node20" ];
    actual = (evaluated { nodeRuntimes = [ "node20" ]; }).package.runtimes;
  };

  "a package that has the Node.js runtimes as it is is not built anew" = {
    expected = {
      both = pkgs.github-runner.outPath;
      one = pkgs.github-runner.outPath;
      newest = pkgs.github-runner.outPath;
    };
    actual =
      let
        both = [
          "node20"
          "node24"
        ];
        pathOf =
          nodeRuntimes:
          (evaluated {
            inherit nodeRuntimes;
            package = pkgs.runner { standard = both; };
          }).package.outPath;
      in
      {
        both = pathOf both;
        one = pathOf [ "node20" ];
        newest = pathOf [ "node24" ];
      };
  };

  "a package that cannot have a Node.js runtime stays as it is" = {
    expected = pkgs.github-runner.outPath;
    actual =
      (evaluated {
        nodeRuntimes = [
          "node20"
          "node24"
        ];
        package = pkgs.runner { known = [ "node24" ]; };
      }).package.outPath;
  };

  "a package whose own Node.js runtimes do not evaluate any more gets the ones that do" = {
    expected = [ "node24" ];
    actual =
      (evaluated {
        package = pkgs.runner {
          standard = [
            "node20"
            "node24"
          ];
          known = [ "node24" ];
        };
      }).package.runtimes;
  };

  "a package that was overridden before follows the option" = {
    expected = [ "node24" ];
    actual =
      (evaluated {
        package = pkgs.github-runner.override { nodeRuntimes = [ "node20" ]; };
      }).package.runtimes;
  };

  "a package without that argument stays as it is" =
    let
      withoutArgument = pkgs.package "own-runner" // {
        override = { nodejs }: throw "must not be called with ${nodejs}";
      };
    in
    {
      expected = [
        "own-runner"
        "plain-runner"
      ];
      actual = [
        (evaluated { package = withoutArgument; }).package.name
        (evaluated { package = pkgs.package "plain-runner"; }).package.name
      ];
    };

  "the helper package can be replaced" =
    let
      patched = pkgs.package "patched-helper";
    in
    {
      expected = true;
      actual =
        lib.all (lib.hasInfix "${patched}/bin/github-runner-helper ")
          (host {
            runners.one = runner;
            extra.services.github-runnerctl.helper.package = patched;
          }).services.github-runner-one.serviceConfig.ExecStartPre;
    };

  "the helper package is replaced under its former name, too, and that is told" =
    let
      patched = pkgs.package "patched-helper";
      ofFormer =
        value:
        host {
          runners.one = runner;
          extra.services.github-runner-helper.package = value;
        };
      # Weaker than what the new name says, and stronger than a default of the module.
      ofBoth = host {
        runners.one = runner;
        extra.services.github-runner-helper.package = lib.mkDefault patched;
        extra.services.github-runnerctl.helper.package = pkgs.package "another-helper";
      };
      packagesOf = result: [
        result.config.services.github-runnerctl.helper.package
        result.config.services.github-runner-helper.package
      ];
      isTold =
        message:
        lib.hasInfix "`services.github-runner-helper.package'" message
        && lib.hasInfix "renamed to `services.github-runnerctl.helper.package'" message;
    in
    {
      expected = {
        packages = [
          patched
          patched
        ];
        default = patched;
        both = pkgs.package "another-helper";
        told = [ true ];
        untold = [ ];
        isInUnits = true;
      };
      actual = {
        packages = packagesOf (ofFormer patched);
        default = builtins.head (packagesOf (ofFormer (lib.mkDefault patched)));
        both = builtins.head (packagesOf ofBoth);
        told = map isTold (ofFormer patched).warnings;
        untold = (host { runners.one = runner; }).warnings;
        isInUnits = lib.all (lib.hasInfix "${patched}/bin/github-runner-helper ") (ofFormer patched)
        .services.github-runner-one.serviceConfig.ExecStartPre;
      };
    };

  "the manifest is version 2 and keeps null" = {
    expected = {
      version = 2;
      instance = "runner1";
      registration = {
        ephemeral = false;
        extraLabels = [ ];
        name = null;
        noDefaultLabels = false;
        runnerGroup = null;
        tokenFile = "/run/secrets/token";
        url = "https://github.com/owner/repository";
        workDir = null;
      };
      replace = false;
      tokenType = "auto";
      githubApp = null;
      method = null;
      reRegisterOnTokenChange = true;
      brokerEnvironment = { };
      logs = {
        maxAge = 30;
        maxSize = 128;
      };
      unit = "digest";
      registrationInterval = 60;
      startDistance = 200;
      supplementaryGroups = [ ];
      trustJobsLikeRoot = false;
      workDirMode = "0700";
      workDirSize = "25%";
      listener = "${pkgs.github-runner}/bin/Runner.Listener";
    };
    actual = builtins.fromJSON (manifest "runner1" (runner // { name = null; }));
  };

  "the manifest carries every field of the registration" =
    let
      inherit (import ../runners.nix { inherit pkgs; }) ephemeral;
    in
    {
      expected = {
        version = 2;
        instance = "ephemeral";
        registration = {
          inherit (ephemeral)
            ephemeral
            extraLabels
            name
            noDefaultLabels
            runnerGroup
            tokenFile
            url
            workDir
            ;
        };
        replace = true;
        tokenType = "access";
        githubApp = null;
        method = "configure";
        reRegisterOnTokenChange = false;
        brokerEnvironment = { };
        logs = {
          maxAge = 7;
          maxSize = 1024;
        };
        unit = "digest";
        registrationInterval = 60;
        startDistance = 200;
        supplementaryGroups = [ ];
        trustJobsLikeRoot = false;
        workDirMode = "0750";
        workDirSize = null;
        listener = "${pkgs.github-runner}/bin/Runner.Listener";
      };
      actual = builtins.fromJSON (
        manifest "ephemeral" (
          ephemeral
          // {
            logs = {
              maxAge = 7;
              maxSize = 1024;
            };
            replace = true;
            tokenType = "access";
            workDirMode = "0750";
            registration.method = "configure";
            reRegisterOnTokenChange = false;
          }
        )
      );
    };

  "the manifest names an App in place of a token" = {
    expected = {
      tokenFile = null;
      githubApp = {
        id = "Iv1.0123";
        login = "owner";
        privateKeyFile = "/run/secrets/app.pem";
        installationId = 5;
      };
    };
    actual =
      let
        written = builtins.fromJSON (
          manifest "one" (
            runner
            // {
              tokenFile = null;
              githubApp = {
                id = "Iv1.0123";
                login = "owner";
                privateKeyFile = "/run/secrets/app.pem";
                installationId = 5;
              };
            }
          )
        );
      in
      {
        inherit (written.registration) tokenFile;
        inherit (written) githubApp;
      };
  };

  "manifests have the fields that the programs read" =
    let
      known = builtins.fromJSON (builtins.readFile ../../fixtures/manifest-v2.json);
      written = builtins.fromJSON (manifest "runner1" runner);
    in
    {
      expected = map builtins.attrNames [
        known
        known.registration
      ];
      actual = map builtins.attrNames [
        written
        written.registration
      ];
    };
}

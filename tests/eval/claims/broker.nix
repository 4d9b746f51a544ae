# The broker: who gets one, who may ask it, and what it gets to see.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  runners = import ../runners.nix { inherit pkgs; };
  texts = (host { inherit runners; }).unitTexts;

  of =
    changes:
    let
      result = host { runners.one = runner // changes; };
    in
    {
      socket = result.sockets.github-runner-broker-one;
      service = result.services."github-runner-broker-one@";
    };
  environment = changes: (of changes).service.environment;
  sandbox = (of { }).service.serviceConfig;

  golden = unit: text: {
    expected = builtins.readFile (../golden + "/${unit}");
    actual = text;
  };
in
{
  "the unit broker.socket is the golden one" =
    golden "broker.socket"
      texts."github-runner-broker-persistent.socket";
  "the unit broker@.service is the golden one" =
    golden "broker@.service"
      texts."github-runner-broker-persistent@.service";

  "a registration token needs no broker" = {
    expected = {
      units = [
        "github-runner-one.service"
        "github-runner-reconcile.service"
        "github-runner-reconcile.timer"
        "github-runners-one.slice"
      ];
      after = [
        "network.target"
        "network-online.target"
        "nss-lookup.target"
      ];
      wants = [ "network-online.target" ];
      # The program says so if the file holds something else.
      told = true;
    };
    actual =
      let
        result = host {
          runners.one = runner // {
            tokenType = "registration";
          };
        };
        unit = result.services.github-runner-one;
      in
      {
        units = builtins.attrNames result.unitTexts;
        inherit (unit) after wants;
        told = lib.hasSuffix " --broker /run/github-runner-broker/one" (
          builtins.head unit.serviceConfig.ExecStopPost
        );
      };
  };

  "an App has a broker with its key" = {
    expected = [
      "credential:/run/secrets/app.pem"
      "ledger:/var/lib/github-runner-registrations/one.json"
    ];
    actual = builtins.filter (given: !lib.hasPrefix "given:" given) (
      (of {
        tokenFile = null;
        githubApp = {
          id = 1;
          privateKeyFile = "/run/secrets/app.pem";
        };
      }).service.serviceConfig.LoadCredential
    );
  };

  # It is always there, so a broker without it knows that somebody reset the list.
  "a broker is given its manifest besides" = {
    expected = true;
    actual =
      builtins.any (lib.hasPrefix "given:/nix/store/")
        (of { }).service.serviceConfig.LoadCredential;
  };

  "only root can open the door of a broker" = {
    expected = {
      listenStreams = [ "/run/github-runner-broker/one" ];
      SocketMode = "0600";
      DirectoryMode = "0700";
      owner = false;
    };
    actual = {
      inherit ((of { }).socket) listenStreams;
      inherit ((of { }).socket.socketConfig) DirectoryMode SocketMode;
      owner = (of { }).socket.socketConfig ? SocketUser;
    };
  };

  "a broker sees nothing of jobs" = {
    expected = [
      "-/run/secrets/token"
      "-/var/lib/github-runner-registrations"
      "-/run/github-runner-broker"
      "-%L/github-runner"
      "-%L/private/github-runner"
      "-%S/github-runner"
      "-%S/private/github-runner"
      "-%t/github-runner"
      "-%t/private/github-runner"
      "\"-/srv/my work/50%%\""
    ];
    actual = (of { workDir = "/srv/my work/50%%"; }).service.serviceConfig.InaccessiblePaths;
  };

  "runners with the same credential file share what their brokers keep, and no others" =
    let
      app = privateKeyFile: {
        tokenFile = null;
        githubApp = {
          id = 1;
          inherit privateKeyFile;
        };
      };
      result = host {
        runners.a = runner // {
          count = 2;
        };
        runners.b = runner // {
          url = "https://github.com/octo-org";
        };
        runners.c = runner // app "/run/secrets/token";
        runners.d = runner // app "/run/secrets/app.pem";
        runners.e = runner // {
          tokenFile = "/run/secrets/other";
        };
      };
      of =
        instance:
        let
          inherit (result.services."github-runner-broker-${instance}@") serviceConfig;
        in
        [
          serviceConfig.User
          serviceConfig.RuntimeDirectory
        ];
      pairOf =
        path:
        let
          hash = builtins.substring 0 12 (builtins.hashString "sha256" path);
        in
        [
          "gh-broker-${hash}"
          "github-runner-broker-kept/${hash}"
        ];
    in
    {
      expected = {
        a-1 = pairOf "/run/secrets/token";
        a-2 = pairOf "/run/secrets/token";
        b = pairOf "/run/secrets/token";
        c = pairOf "/run/secrets/token";
        d = pairOf "/run/secrets/app.pem";
        e = pairOf "/run/secrets/other";
      };
      actual = builtins.mapAttrs (instance: _: of instance) result.instances;
    };

  "what brokers keep is theirs alone, in memory, and not hidden from them" = {
    expected = {
      DynamicUser = true;
      RuntimeDirectoryMode = "0700";
      RuntimeDirectoryPreserve = true;
      hidden = [ ];
    };
    actual = {
      inherit (sandbox) DynamicUser RuntimeDirectoryMode RuntimeDirectoryPreserve;
      hidden = lib.filter (
        path:
        lib.any (directory: lib.hasPrefix "${lib.removePrefix "-" path}/" directory) [
          "/run/${sandbox.RuntimeDirectory}"
          "/run/private/${sandbox.RuntimeDirectory}"
          "%t/${sandbox.RuntimeDirectory}"
          "%t/private/${sandbox.RuntimeDirectory}"
        ]
      ) sandbox.InaccessiblePaths;
    };
  };

  "what jobs may do does not loosen the broker" = {
    expected = sandbox;
    actual =
      (of {
        user = "somebody";
        serviceOverrides = {
          PrivateUsers = false;
          MemoryMax = "1T";
        };
      }).service.serviceConfig;
  };

  "a broker gets only the variables that lead to the server" = {
    expected = {
      GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY = "1";
      HTTPS_PROXY = "http://proxy.example:1";
      NIX_SSL_CERT_FILE = "/etc/ca.pem";
      SSL_CERT_DIR = "/etc/ca";
      SSL_CERT_FILE = "/etc/ca.pem";
      https_proxy = "http://proxy.example:1";
      no_proxy = "localhost";
    };
    actual = environment {
      extraEnvironment = {
        CI_CACHE = "/var/cache/ci";
        GITHUB_ACTIONS_RUNNER_TLS_NO_VERIFY = "1";
        HOME = "/elsewhere";
        HTTPS_PROXY = "http://proxy.example:1";
        LD_PRELOAD = "/x.so";
        NIX_SSL_CERT_FILE = "/etc/ca.pem";
        SSL_CERT_DIR = "/etc/ca";
        SSL_CERT_FILE = "/etc/ca.pem";
        https_proxy = "http://proxy.example:1";
        no_proxy = "localhost";
      };
    };
  };

  "a broker knows the proxy of the host unless the runner has its own" = {
    expected = {
      https_proxy = "http://own.example:2";
      no_proxy = "localhost";
    };
    actual =
      (host {
        runners.one = runner // {
          extraEnvironment.https_proxy = "http://own.example:2";
        };
        extra.networking.proxy.envVars = {
          https_proxy = "http://host.example:1";
          no_proxy = "localhost";
        };
      }).services."github-runner-broker-one@".environment;
  };

  "the program of the brokers can be replaced, and operators have it" =
    let
      patched = pkgs.package "patched-runnerctl";
      result = host {
        runners.one = runner;
        extra.services.github-runnerctl.package = patched;
      };
    in
    {
      expected = [
        "${patched}/bin/github-runnerctl broker --manifest ${result.manifests.one}"
        [ patched ]
      ];
      actual = [
        result.services."github-runner-broker-one@".serviceConfig.ExecStart
        result.config.environment.systemPackages
      ];
    };
}

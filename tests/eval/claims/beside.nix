# What a configuration says about a unit beside the module: it works as with
# nixpkgs' module, and nothing is evaluated or copied that is not used.
{
  lib,
  pkgs,
  host,
  runner,
}:

let
  strict = import ../strict.nix { inherit lib pkgs; };
  manifestOf = result: (strict.manifestsOf result).one;

  of =
    changes: unit:
    host {
      inherit (strict) pkgs;
      runners.one = runner // changes;
      extra.systemd.services.github-runner-one = unit;
    };
  serviceOf = changes: unit: (of changes unit).services.github-runner-one;
  brokerOf = changes: unit: (of changes unit).services."github-runner-broker-one@";
  textOf = result: result.unitTexts."github-runner-one.service";
  linesOf =
    name: result: lib.filter (lib.hasPrefix "${name}=") (lib.splitString "\n" (textOf result));
  evaluates = changes: (builtins.tryEval (builtins.deepSeq (of changes { }).unitTexts true)).success;

  proxied = envVars: runner: {
    inherit (strict) pkgs;
    runners.one = runner;
    extra.networking.proxy = { inherit envVars; };
  };

  # The lines of a slice with what a configuration says about it.
  sliceOf =
    slice:
    (host {
      runners.one = runner // {
        resources.pool.memoryMax = "1G";
      };
      extra.systemd.slices.github-runners-one = slice;
    }).slices.github-runners-one;
in
{
  "a limit of starts has one value, whichever of its names it has" = {
    expected = {
      neither = [ "StartLimitIntervalSec=0" ];
      directive = [ "StartLimitIntervalSec=300" ];
      option = [ "StartLimitIntervalSec=300" ];
      # The older name comes first in the text, and the last one counts.
      older = [ "StartLimitIntervalSec=300" ];
      default = [ "StartLimitIntervalSec=300" ];
    };
    actual = builtins.mapAttrs (_: unit: linesOf "StartLimitIntervalSec" (of { } unit)) {
      neither = { };
      directive.unitConfig.StartLimitIntervalSec = 300;
      option.startLimitIntervalSec = 300;
      older.unitConfig.StartLimitInterval = 300;
      default.unitConfig.StartLimitIntervalSec = lib.mkDefault 300;
    };
  };

  "the limit of starts of a pass can be said by both of its names" = {
    expected = [
      300
      "300"
    ];
    actual =
      map
        (
          unit:
          (host { extra.systemd.services.github-runner-reconcile = unit; })
          .services.github-runner-reconcile.unitConfig.StartLimitIntervalSec
        )
        [
          { unitConfig.StartLimitIntervalSec = 300; }
          { startLimitIntervalSec = 300; }
        ];
  };

  "a default of the configuration wins over what nixpkgs' module leaves unsaid" = {
    expected = {
      RestartSec = "1min";
      Slice = "ci.slice";
      TimeoutStartSec = "1h";
      restartIfChanged = true;
    };
    actual =
      let
        unit = serviceOf { } {
          restartIfChanged = lib.mkDefault true;
          serviceConfig = {
            RestartSec = lib.mkDefault "1min";
            Slice = lib.mkDefault "ci.slice";
            TimeoutStartSec = lib.mkDefault "1h";
          };
        };
      in
      {
        inherit (unit) restartIfChanged;
        inherit (unit.serviceConfig) RestartSec Slice TimeoutStartSec;
      };
  };

  "a Nix path in an override is written into the unit and not read" = {
    expected = [ "EnvironmentFile=/nonexistent/jobs.env" ];
    actual = linesOf "EnvironmentFile" (
      of { serviceOverrides.EnvironmentFile = /nonexistent/jobs.env; } { }
    );
  };

  "what a condition switches off is not evaluated" = {
    expected = [ ];
    actual = lib.filter (changes: !evaluates changes) [
      { serviceOverrides.LoadCredential = lib.mkIf false (throw "evaluated"); }
      { serviceOverrides.TimeoutSec = lib.mkIf false (throw "evaluated"); }
      { serviceOverrides.ReadWritePaths = lib.mkMerge [ (lib.mkIf false (throw "evaluated")) ]; }
      { extraEnvironment.https_proxy = lib.mkIf false (throw "evaluated"); }
      { extraEnvironment.RUNNER_ROOT = lib.mkIf false (throw "evaluated"); }
    ];
  };

  "conditions and priorities of single variables count for runner and broker" = {
    expected = {
      runner = "http://proxy.example:1";
      broker = {
        https_proxy = "http://proxy.example:1";
        no_proxy = "localhost";
      };
      failures = [ ];
    };
    actual =
      let
        changes.extraEnvironment = {
          https_proxy = lib.mkIf true "http://proxy.example:1";
          HTTP_PROXY = lib.mkIf false "http://other.example:1";
          no_proxy = lib.mkForce "localhost";
        };
      in
      {
        runner = (serviceOf changes { }).environment.https_proxy;
        broker = (brokerOf changes { }).environment;
        inherit (of changes { }) failures;
      };
  };

  "lists of the configuration come after the module's, and overrides between them" = {
    expected = {
      path = [
        "jq"
        "own"
      ];
      StateDirectory = [
        "github-runner/one"
        "override"
        "own"
      ];
      DeviceAllow = [
        ""
        # The one that the configuration wants first.
        "/dev/fuse"
        "/dev/kvm"
      ];
      lastSteps = [
        "override"
        "own"
      ];
      first = "own";
    };
    actual =
      let
        inherit
          (serviceOf
            {
              extraPackages = [ pkgs.jq ];
              serviceOverrides = {
                DeviceAllow = [ "/dev/kvm" ];
                ExecStartPre = [ "override" ];
                StateDirectory = [ "override" ];
              };
            }
            {
              path = [ (pkgs.package "own") ];
              serviceConfig = {
                BindReadOnlyPaths = lib.mkBefore [ "own" ];
                DeviceAllow = lib.mkBefore [ "/dev/fuse" ];
                ExecStartPre = [ "own" ];
                LogsDirectory = lib.mkBefore [ "own" ];
                StateDirectory = [ "own" ];
              };
            }
          )
          path
          serviceConfig
          ;
        lastTwo = list: lib.drop (builtins.length list - 2) list;
      in
      {
        path = map (package: package.name) (lastTwo path);
        inherit (serviceConfig) DeviceAllow StateDirectory;
        lastSteps = lastTwo serviceConfig.ExecStartPre;
        first = builtins.head serviceConfig.LogsDirectory;
      };
  };

  "whatever changes a unit makes another manifest" = {
    expected = 11;
    actual = builtins.length (
      lib.unique (
        map (unit: (manifestOf (of { } unit)).unit) [
          { }
          { environment.CI = "1"; }
          { path = [ pkgs.jq ]; }
          { serviceConfig.Nice = 5; }
          { serviceConfig.EnvironmentFile = /nonexistent/jobs.env; }
          { unitConfig.JoinsNamespaceOf = "vpn.service"; }
        ]
        ++ map (serviceOverrides: (manifestOf (of { inherit serviceOverrides; } { })).unit) [
          # Not another one: it is not there.
          { ExecStartPre = lib.mkIf false (throw "evaluated"); }
          { ExecStartPre = [ "/bin/one" ]; }
          { ExecStartPre = lib.mkAfter "/bin/two"; }
          { ExecStopPost = lib.mkForce [ /nonexistent/three ]; }
        ]
        ++ map (steps: (manifestOf (of { inherit steps; } { })).unit) [
          { }
          { prepare.wrapper = "/bin/four"; }
          { prepare.before = [ "/bin/four" ]; }
        ]
      )
    );
  };

  "what leads to GitHub in a unit reaches its broker" = {
    expected = {
      environment = {
        HTTPS_PROXY = "http://two.example:1";
        SSL_CERT_FILE = "/etc/ci.pem";
        https_proxy = "http://one.example:1";
        no_proxy = "localhost";
      };
      NetworkNamespacePath = "/run/netns/ci";
      BindPaths = [ "/srv/ssl:/etc/ssl/certs" ];
      BindReadOnlyPaths = [ "-/etc/ci-hosts:/etc/hosts:norbind" ];
      hidden = "-/run/nscd";
    };
    actual =
      let
        broker =
          brokerOf
            {
              serviceOverrides.Environment = [
                "\"SSL_CERT_FILE=/etc/ci.pem\""
                "HTTPS_PROXY=http://two.example:1 LD_PRELOAD=/x.so"
              ];
            }
            {
              environment = {
                https_proxy = "http://one.example:1";
                no_proxy = "localhost";
                CI_CACHE = "/var/cache/ci";
              };
              serviceConfig = {
                NetworkNamespacePath = "/run/netns/ci";
                BindPaths = [ "/var/cache/ci /etc/hosts:/srv/hosts /srv/ssl:/etc/ssl/certs" ];
                BindReadOnlyPaths = "-/etc/ci-hosts:/etc/hosts:norbind";
                InaccessiblePaths = [ "-/run/nscd" ];
              };
            };
      in
      {
        inherit (broker) environment;
        inherit (broker.serviceConfig) BindPaths BindReadOnlyPaths NetworkNamespacePath;
        hidden = lib.last broker.serviceConfig.InaccessiblePaths;
      };
  };

  "a broker joins the network that its runner joins" = {
    expected = [
      true
      "vpn.service"
    ];
    actual =
      let
        broker = brokerOf { } {
          unitConfig.JoinsNamespaceOf = "vpn.service";
          serviceConfig.PrivateNetwork = true;
        };
      in
      [
        broker.serviceConfig.PrivateNetwork
        broker.unitConfig.JoinsNamespaceOf
      ];
  };

  "the proxy of the host is that of runner, jobs and broker, unless they have their own" = {
    expected = {
      runner = [
        "http://own.example:2"
        "localhost"
        "http://host.example:1"
      ];
      broker = {
        https_proxy = "http://own.example:2";
        no_proxy = "localhost";
      };
      default = "http://default.example:3";
      # What the host has is not kept for later, but asked for then.
      kept = {
        https_proxy = "http://own.example:2";
      };
      former = [
        "Environment=\"https_proxy=http://host.example:1\""
        "Environment=\"no_proxy=localhost\""
      ];
    };
    actual =
      let
        result = host (
          proxied {
            all_proxy = "http://host.example:1";
            https_proxy = "http://host.example:1";
            no_proxy = "localhost";
          } (runner // { extraEnvironment.https_proxy = "http://own.example:2"; })
        );
        withDefault = host (
          proxied { https_proxy = "http://host.example:1"; } (
            runner // { extraEnvironment.https_proxy = lib.mkDefault "http://default.example:3"; }
          )
        );
        inherit (result.services.github-runner-one) environment;
      in
      {
        runner = [
          environment.https_proxy
          environment.no_proxy
          environment.all_proxy
        ];
        broker = result.services."github-runner-broker-one@".environment;
        default = withDefault.services.github-runner-one.environment.https_proxy;
        kept = (manifestOf result).brokerEnvironment;
        former =
          lib.filter (lib.hasPrefix "Environment=")
            (builtins.fromJSON result.etc."github-runners/fleet.json".source.text).brokerProperties;
      };
  };

  "a slice can have a description and limits of its own" = {
    expected = {
      description = "Continuous integration";
      sliceConfig.MemoryMax = "2G";
    };
    actual =
      let
        slice = sliceOf {
          description = "Continuous integration";
          sliceConfig.MemoryMax = "2G";
        };
      in
      {
        inherit (slice) description sliceConfig;
      };
  };
}

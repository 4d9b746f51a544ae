# What a switch does to runners, and what they may use of the machine.
{
  lib,
  host,
  runner,
  ...
}:

let
  of = changes: host { runners.one = runner // changes; };
  policy =
    changes:
    let
      unit = (of changes).services.github-runner-one;
    in
    {
      inherit (unit) restartIfChanged;
      stopOnRemoval = unit.unitConfig.X-StopOnRemoval or true;
    };
  leftAlone = {
    restartIfChanged = false;
    stopOnRemoval = false;
  };
  atOnce = {
    restartIfChanged = true;
    stopOnRemoval = true;
  };
  limits = directives: {
    inherit (directives) CPUWeight MemoryMax TasksMax;
  };
  resources = {
    memoryMax = "4G";
    cpuWeight = 20;
    tasksMax = 512;
    pool.memoryMax = 17179869184;
  };
in
{
  "a switch leaves a runner alone that can be asked whether it is idle" = {
    expected = leftAlone;
    actual = policy { };
  };

  "a switch restarts a runner that nobody can ask" = {
    expected = atOnce;
    actual = policy { tokenType = "registration"; };
  };

  "a switch does what the policy says" = {
    expected = {
      when-idle = leftAlone;
      never = leftAlone;
      immediate = atOnce;
    };
    actual =
      lib.mapAttrs'
        (
          restartPolicy: _:
          lib.nameValuePair restartPolicy (policy {
            inherit restartPolicy;
          })
        )
        {
          when-idle = { };
          never = { };
          immediate = { };
        };
  };

  "an own word about a switch wins" = {
    expected = true;
    actual =
      (host {
        runners.one = runner;
        extra.systemd.services.github-runner-one.restartIfChanged = true;
      }).services.github-runner-one.restartIfChanged;
  };

  "runners of an entry are in its slice, whatever its name" = {
    expected = {
      units = {
        github-runner-my-x_2-1 = "github-runners-my\\x2dx_2.slice";
        github-runner-my-x_2-2 = "github-runners-my\\x2dx_2.slice";
      };
      slices = [ "github-runners-my\\x2dx_2" ];
    };
    actual =
      let
        result = host {
          runners.my-x_2 = runner // {
            count = 2;
          };
        };
        isRunner = name: _: lib.hasPrefix "github-runner-my" name;
      in
      {
        units = builtins.mapAttrs (_: unit: unit.serviceConfig.Slice) (
          lib.filterAttrs isRunner result.services
        );
        slices = builtins.attrNames result.slices;
      };
  };

  "a switch that removes an entry does not stop its runners with the slice" = {
    expected = ''
      [Unit]
      Description=GitHub Actions runners of one
      X-StopOnRemoval=false

      [Slice]
      CPUWeight=200
      MemoryMax=17179869184
      TasksMax=4096
    '';
    actual =
      (of {
        resources.pool = {
          memoryMax = 17179869184;
          cpuWeight = 200;
          tasksMax = 4096;
        };
      }).unitTexts."github-runners-one.slice";
  };

  "limits reach every runner, and those of the pool its slice alone" = {
    expected = {
      one-1 = {
        CPUWeight = 20;
        MemoryMax = "4G";
        TasksMax = 512;
      };
      one-2 = {
        CPUWeight = 20;
        MemoryMax = "4G";
        TasksMax = 512;
      };
      slice = {
        MemoryMax = 17179869184;
      };
    };
    actual =
      let
        result = of {
          inherit resources;
          count = 2;
        };
      in
      {
        one-1 = limits result.services.github-runner-one-1.serviceConfig;
        one-2 = limits result.services.github-runner-one-2.serviceConfig;
        slice = result.slices.github-runners-one.sliceConfig;
      };
  };

  "limits can be said in systemd's words" = {
    expected = {
      one = {
        AllowedCPUs = "0-3";
        IOReadBandwidthMax = [ "/dev/sda 50M" ];
        LimitNOFILE = 65536;
        MemoryHigh = "3G";
        MemoryMax = "4G";
      };
      slice = {
        CPUQuota = "400%";
        MemoryAccounting = true;
        StartupCPUWeight = 50;
        TasksMax = 4096;
      };
      failures = [ ];
    };
    actual =
      let
        result = of {
          resources = {
            memoryMax = "4G";
            MemoryHigh = "3G";
            MemoryLow = null;
            AllowedCPUs = "0-3";
            IOReadBandwidthMax = [ "/dev/sda 50M" ];
            LimitNOFILE = 65536;
            pool = {
              tasksMax = 4096;
              CPUQuota = "400%";
              MemoryAccounting = true;
              StartupCPUWeight = 50;
            };
          };
        };
        plain = (of { }).services.github-runner-one.serviceConfig;
      in
      {
        one = lib.filterAttrs (name: _: !plain ? ${name}) result.services.github-runner-one.serviceConfig;
        slice = result.slices.github-runners-one.sliceConfig;
        inherit (result) failures;
      };
  };

  "overrides win over limits and the slice" = {
    expected = {
      MemoryMax = "1G";
      Slice = "ci.slice";
    };
    actual = {
      inherit
        ((of {
          inherit resources;
          serviceOverrides = {
            MemoryMax = "1G";
            Slice = "ci.slice";
          };
        }).services.github-runner-one.serviceConfig
        )
        MemoryMax
        Slice
        ;
    };
  };

  "without limits no directive is there" = {
    expected = [ ];
    actual =
      let
        result = of { };
        directives =
          result.services.github-runner-one.serviceConfig // result.slices.github-runners-one.sliceConfig;
      in
      lib.filter (name: directives ? ${name}) [
        "CPUWeight"
        "MemoryMax"
        "TasksMax"
      ];
  };
}

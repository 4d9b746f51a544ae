# How the engine of containers beside a runner is called. No instance's name has the `@`, so no runner's unit is called like it.
rec {
  directory = "github-runner-containers";
  stem = instance: "${directory}@${instance}";
  # Where jobs reach it.
  path = instance: "/run/${directory}/${instance}.sock";
}
